// parse_command_table on arbitrary bytes, and every command that comes out of it on a request: whatever a backend says
// of its commands, looking for the keys of a call ends and reads arguments only.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/redis/learned_command.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

using namespace overlord::redis;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Command& command, const RequestParser& request) {
  require(!command.name.empty() && (command.flags & kLearned) != 0);
  int visited = 0;
  const int keys =
      visit_keys(command, request, [](void* count, std::string_view) { ++*static_cast<int*>(count); }, &visited);
  require(keys < 0 || keys == visited);
  switch (command.treatment) {
    case Treatment::single: require(command.key_specs.size() == 1 && command.first_key > 0); [[fallthrough]];
    case Treatment::one_node:
      require((command.flags & (kAdmin | kBlocking | kPubSub)) == 0 && !command.key_specs.empty());
      break;
    default: require(command.treatment == Treatment::refused);
  }
  for (const Command& sub : command.subcommands) check(sub, request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string wire = [] {
    std::string out;
    const std::string_view words[] = {"x", "2", "KEYS", "a", "b", "STORE", "1", "c", "-1", "d", "e", "f"};
    append_command(out, words);
    return out;
  }();
  RequestParser request;
  require(request.parse(wire) == ParseStatus::complete);
  LearnedList learned;
  parse_command_table({reinterpret_cast<const char*>(data), size}, learned);
  for (const auto& each : learned) check(each->command, request);
  return 0;
}
