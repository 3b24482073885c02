#pragma once
// The TCP ports that something listens on, as the kernel tells: strangers have ports too.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::engine {

struct Listener {
  std::string address;  // numeric; empty: on every address
  uint16_t port = 0;
  bool operator==(const Listener&) const = default;
};

// Of /proc/net/tcp and tcp6; lines that are none are passed over.
std::vector<Listener> listeners_in(std::string_view table);
std::vector<Listener> listeners();
// Those that a server on this address would be in the way of; sorted, each once.
std::vector<uint16_t> taken_ports(const std::vector<Listener>& all, std::string_view address);

}  // namespace overlord::engine
