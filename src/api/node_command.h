#pragma once
// One command to a redis node, bounded in time and size, and which commands nobody may send this way.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/error.h"

namespace overlord::api {

// A reply of RESP2. type: its first byte, as '+', '-', ':', '$', '*'.
struct NodeReply {
  char type = '+';
  std::optional<std::string> text{};  // of all but arrays; nothing: the null bulk
  bool null_array = false;
  std::vector<NodeReply> items{};
};

struct ReplyLimits {
  size_t bytes = 1024 * 1024;
  size_t items = 10'000;  // all together
  size_t depth = 8;
};

// A reply at the front of the bytes. Nothing: more must come. An error (bad_gateway): it is none, or beyond the limits.
// used: how many bytes it has.
Result<std::optional<NodeReply>> parse_reply(std::string_view bytes, size_t& used, const ReplyLimits& limits = {});

// Why this command may not be sent; empty: it may. Those that stop, reshape or reconfigure a node, drop its data, take
// over the connection or wait for something are for jobs, or for nobody.
std::string denied(const std::vector<std::string>& command);

// Connects, says the password when there is one, sends the command and reads its reply, all within `time`.
Result<NodeReply> ask_node(const std::string& host, uint16_t port, const std::string& password,
                           const std::vector<std::string>& command,
                           std::chrono::milliseconds time = std::chrono::milliseconds(5000));

}  // namespace overlord::api
