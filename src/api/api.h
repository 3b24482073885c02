#pragma once
// Api: the REST API of the platform over a store. It validates, writes what is wanted, and reads what is; it never acts.
// Any number of them may work on one store.
//
//   Api api(store, config);
//   auto token = api.prepare();   // the first user's, once
//   http::Server server(api.server_options());
//   api.serve_on(server);
//   server.start(address);
//
// The server must have stopped before the Api goes.

#include <memory>
#include <string>

#include "api/config.h"
#include "api/error.h"
#include "http/server.h"
#include "store/store.h"

namespace overlord::api {

class Feed;
struct Service;

class Api {
 public:
  // Both must outlive it.
  Api(store::Store& store, const Config& config);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Puts what the configuration names into the store, versions and the first user, and begins to watch it. The token of
  // the first user; empty: there are users already.
  Result<std::string> prepare();
  http::ServerOptions server_options() const;
  void serve_on(http::Server& server);

 private:
  Result<void> put_versions();

  const std::unique_ptr<Feed> feed_;
  const std::unique_ptr<Service> service_;
};

}  // namespace overlord::api
