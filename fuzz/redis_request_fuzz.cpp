// A client's bytes: parsed at once and in pieces, walked, looked up in the command table, and followed by the scanner
// for large messages. All ways must agree.
//
// The first four bytes of the input say how to cut the rest.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/redis/command.h"
#include "protocol/redis/command_reply.h"
#include "protocol/redis/request_parser.h"

using namespace overlord::redis;

namespace {

// Small, so that inputs of a few bytes reach them.
constexpr RequestLimits kLimits{.max_args = 1000, .max_bulk = 4000, .max_inline = 300};

void require(bool condition) {
  if (!condition) std::abort();
}

class Cuts {
 public:
  explicit Cuts(uint32_t seed) : state_(seed) {}
  size_t next(size_t most) {
    state_ = state_ * 1664525u + 1013904223u;
    const size_t wish = (state_ >> 28) < 8 ? 1 + (state_ >> 24) % 3 : 1 + (state_ >> 16) % 64;
    const size_t piece = wish * (1 + most / 256);  // few pieces of large inputs: each is a copy
    return piece < most ? piece : most;
  }

 private:
  uint32_t state_;
};

struct Outcome {
  ParseStatus status;
  size_t size = 0;
  std::string wire;
  std::string error;
  std::vector<std::string> args;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome(const RequestParser& parser, ParseStatus status) {
  Outcome out{.status = status};
  if (status == ParseStatus::error) out.error = parser.error();
  if (status == ParseStatus::complete || status == ParseStatus::skip) out.size = parser.size();
  if (status != ParseStatus::complete) return out;
  out.wire = parser.wire();
  ArgCursor cursor(parser);
  while (cursor.next()) {
    require(cursor.wire().size() > cursor.value().size());
    out.args.emplace_back(cursor.value());
  }
  require(out.args.size() == parser.argc());
  for (uint32_t i = 0; i < parser.argc() && i < RequestParser::kFirstArgs; ++i) {
    require(parser.arg(i) == out.args[i]);
    require(out.wire[parser.arg_header_offset(i)] == '$');
  }
  return out;
}

Outcome parse_in_pieces(std::string_view bytes, Cuts cuts) {
  RequestParser parser(kLimits);
  std::string held;
  size_t there = 0;
  for (;;) {
    held.assign(bytes.substr(0, there));
    held.shrink_to_fit();
    const ParseStatus status = parser.parse(held);
    if (status != ParseStatus::incomplete || there == bytes.size()) return outcome(parser, status);
    require(parser.args_seen() <= parser.args_declared() && parser.pending_bulk_offset() <= there);
    there += cuts.next(bytes.size() - there);
  }
}

// Parses a front of the message and lets the scanner find its end.
void follow(std::string_view bytes, const Outcome& whole, Cuts cuts) {
  const size_t front = cuts.next(bytes.size());
  RequestParser parser(kLimits);
  if (parser.parse(bytes.substr(0, front)) != ParseStatus::incomplete || parser.args_declared() == 0) return;
  MessageScanner scanner;
  scanner.start(parser, front);
  for (size_t at = front; at < bytes.size();) {
    const size_t piece = cuts.next(bytes.size() - at);
    size_t consumed = 0;
    const MessageScanner::Status status = scanner.advance(bytes.substr(at, piece), consumed);
    at += consumed;
    if (status == MessageScanner::Status::error) return require(whole.status != ParseStatus::complete);
    if (status == MessageScanner::Status::done)
      return require(whole.status == ParseStatus::complete && whole.size == at);
    require(consumed == piece);
  }
  require(whole.status != ParseStatus::complete);
}

void call(const RequestParser& parser) {
  const Resolved resolved = resolve_command(parser);
  const std::string error = resolve_error(resolved, parser);
  require(error.empty() == (resolved.status == Resolved::Status::ok));
  if (!error.empty()) return;
  const Command& command = *resolved.command;
  (void)refused_call(command, parser);
  (void)is_blocking_call(command, parser);
  int visited = 0;
  const int keys =
      visit_keys(command, parser, [](void* count, std::string_view) { ++*static_cast<int*>(count); }, &visited);
  require(keys == -1 || keys == visited);
  if (command.treatment == Treatment::single) require(keys == 1);
  if (command.name.starts_with("command")) {
    std::string reply;
    append_command_reply(reply, command, parser);
    require(reply.ends_with("\r\n"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const Cuts cuts(static_cast<uint32_t>(data[0]) << 24 | static_cast<uint32_t>(data[1]) << 16 |
                  static_cast<uint32_t>(data[2]) << 8 | data[3]);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  while (!bytes.empty()) {
    RequestParser parser(kLimits);
    const ParseStatus status = parser.parse(bytes);
    const Outcome whole = outcome(parser, status);
    require(whole == parse_in_pieces(bytes, cuts));
    follow(bytes, whole, cuts);
    if (status == ParseStatus::complete) {
      call(parser);
      // What goes to a backend is a request that says the same.
      RequestParser again(RequestLimits{.max_args = 1000, .max_bulk = 4000});
      const ParseStatus same = again.parse(whole.wire);
      require(same == ParseStatus::complete && again.size() == whole.wire.size() && !again.is_inline());
      require(outcome(again, same).args == whole.args);
    }
    if (status == ParseStatus::incomplete || status == ParseStatus::error) break;
    require(whole.size != 0);
    bytes.remove_prefix(whole.size);
  }
  return 0;
}
