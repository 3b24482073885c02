#pragma once
// Admin: the proxy's HTTP pages for operators and monitoring. It only asks the proxy; the proxy does not know it and runs
// as well without.

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "http/server.h"
#include "proxy/proxy.h"

namespace overlord::admin {

class Admin {
 public:
  // The proxy outlives it.
  explicit Admin(proxy::Proxy& proxy);
  // After the proxy has started. address: as `stat` has it; the error names that key.
  Result<void> start(const std::string& address);
  // Before the proxy stops.
  void stop() { server_.stop(); }
  // For pages of others, before start().
  http::Server& server() { return server_; }

 private:
  proxy::Snapshot snapshot();
  http::Response metrics();
  std::string index() const;

  proxy::Proxy& proxy_;
  std::map<uint32_t, proxy::WorkerSnapshot> last_;  // by worker; on the server's thread
  http::Server server_;
};

}  // namespace overlord::admin
