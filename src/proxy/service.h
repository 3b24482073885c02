#pragma once
// Service: what the process says to its service manager about itself (systemd's Type=notify and WatchdogSec), and how
// it stops. Used by the main thread.

#include <sys/types.h>

#include <atomic>
#include <string>
#include <thread>

#include "net/service_notify.h"
#include "proxy/proxy.h"

namespace overlord::proxy {

class Service {
 public:
  Service(Proxy& proxy, net::ServiceNotify notify) : proxy_(proxy), notify_(std::move(notify)) {}
  ~Service();

  void ready();
  void reloading() const { notify_.send(net::reloading_state()); }
  // Any thread: from now on the manager listens to that process, and this one is silent unless it is itself.
  void tell_main_pid(pid_t pid);
  const net::ServiceNotify& notify() const { return notify_; }
  // How often tick() wants to be called, ns; 0: never.
  uint64_t tick_ns() const;
  // Tells that the process lives, when every worker's loop has turned since the last time: a worker that hangs is
  // not kept alive by the others.
  void tick();

  // Stops the proxy in the background; `done_signal` is raised in this process when it has. A second call does nothing.
  void stop(uint64_t grace_ns, int done_signal);
  bool stopping() const { return stopper_.joinable(); }

 private:
  std::string status() const;

  Proxy& proxy_;
  const net::ServiceNotify notify_;
  bool hung_ = false;
  std::atomic<bool> silent_{false};
  std::thread stopper_;
};

}  // namespace overlord::proxy
