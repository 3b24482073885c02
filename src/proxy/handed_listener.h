#pragma once
// HandedListener: a listening socket that goes from one process to another in an upgrade.

#include <string>

#include "net/socket.h"

namespace overlord::proxy {

struct HandedListener {
  std::string address = {};  // as the configuration writes it
  bool one_socket = false;   // all workers accept from it
  std::string path = {};     // of a unix socket: who listens removes it at the end; empty: it is not ours
  net::UniqueFd fd = {};
};

}  // namespace overlord::proxy
