#pragma once
// What a service manager (systemd and others that speak its protocol) is told: one datagram of NAME=VALUE lines to the
// socket that NOTIFY_SOCKET names, see sd_notify(3). Without that variable nobody asked, and nothing is sent.

#include <cstdint>
#include <string>
#include <string_view>

#include "net/address.h"
#include "net/socket.h"

namespace overlord::net {

class ServiceNotify {
 public:
  ServiceNotify() = default;
  // Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, so that no child believes it is meant. Before
  // other threads run. The error says what is wrong with the variable.
  static Result<ServiceNotify> from_environment();

  // Of a manager that another process was told of: address as in NOTIFY_SOCKET, empty for none.
  static Result<ServiceNotify> to(const std::string& where, uint64_t watchdog_ns);
  const std::string& where() const { return where_; }

  bool wanted() const { return fd_.valid(); }
  // How long the manager waits for a WATCHDOG=1 before it takes the process for hung, ns; 0: for ever.
  uint64_t watchdog_ns() const { return watchdog_ns_; }

  // state: "READY=1", several with a newline between. A manager that is gone is no error. Never blocks.
  void send(std::string_view state) const;

 private:
  UniqueFd fd_;
  SocketAddress address_;
  std::string where_;
  uint64_t watchdog_ns_ = 0;
};

// "RELOADING=1" with the time that goes with it.
std::string reloading_state();

}  // namespace overlord::net
