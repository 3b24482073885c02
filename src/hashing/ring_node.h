#pragma once
// A backend as a ring sees it: a name, a weight, and its rank among the others.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hashing/compat.h"

namespace overlord::hashing {

struct RingNode {
  std::string name;          // what the points are made of: see ring_name()
  std::uint32_t weight = 1;  // 0 gives no point, yet counts in n
  bool ejected = false;      // takes no part at all; the indexes of the others stay as they are
};

/// The text that stands for a backend on the ring: the alias where there is one, else "host:port".
/// twemproxy leaves the port out when it is 11211. Port 0 means that host is the path of a unix
/// socket: the path alone, and with the colon that twemproxy keeps behind it under twemproxy.
std::string ring_name(std::string_view host, std::uint16_t port, std::string_view alias, Compat compat);

/// The nodes' indexes in the order that ties between ketama points and modula's count follow:
/// as given under overlord; by length of the name, then by its bytes, under twemproxy, which
/// sorts the servers of its config.
std::vector<std::uint32_t> ring_order(std::span<const RingNode> nodes, Compat compat);

}  // namespace overlord::hashing
