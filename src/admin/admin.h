#pragma once
// Admin: the proxy's HTTP pages for operators and monitoring. It only asks the proxy; the proxy does not know it and runs
// as well without.

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "http/server.h"
#include "otlp/exporter.h"
#include "proxy/proxy.h"
#include "proxy/upgrade.h"

namespace overlord::admin {

class Admin {
 public:
  // The proxy outlives it.
  explicit Admin(proxy::Proxy& proxy);
  // After the proxy has started. address: as `stat` has it; the error names that key.
  // handed: the socket of the process before, if its fd is valid. open: whether it takes connections at once.
  Result<void> start(const std::string& address, proxy::HandedListener handed = {}, bool open = true);
  // The pages of upgrades; before start().
  void show(proxy::Upgrade& upgrade);
  // Any thread: whether connections are taken; without, it is another process's turn.
  void let_in(bool in);
  void leave_path() { server_.leave_path(); }
  // Where it listens, as `stat` has it, for another process.
  proxy::HandedListener socket() const;
  // Before the proxy stops.
  void stop() { server_.stop(); }
  // What the metrics tell of; outlives it. Before start().
  void show(const otlp::Exporter& traces) { traces_ = &traces; }
  // For pages of others, before start().
  http::Server& server() { return server_; }

 private:
  proxy::Snapshot snapshot();
  http::Response metrics();
  std::string index() const;

  proxy::Proxy& proxy_;
  std::map<uint32_t, proxy::WorkerSnapshot> last_;  // by worker; on the server's thread
  std::string address_;                             // as `stat` has it
  proxy::Upgrade* upgrade_ = nullptr;               // null: not shown
  const otlp::Exporter* traces_ = nullptr;
  http::Server server_;
};

}  // namespace overlord::admin
