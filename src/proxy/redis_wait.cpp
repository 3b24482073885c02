#include "proxy/redis_wait.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace overlord::proxy {

using routing::Failure;
using routing::HopResult;
using routing::Request;
using routing::Wire;

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";
// The dump is what FUNCTION DUMP of redis 7.0 says when there are no functions: a version and a checksum.
constexpr std::string_view kEmptyWrite =
    "*4\r\n$8\r\nFUNCTION\r\n$7\r\nRESTORE\r\n$10\r\n\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda\r\n$6\r\nAPPEND\r\n"sv;

// Whether any command of a connection makes the whole stream count there. Of an unknown version: no.
bool reads_count(std::string_view version) {
  int major = 0;
  int minor = 0;
  const char* const end = version.data() + version.size();
  const auto [point, failed] = std::from_chars(version.data(), end, major);
  if (failed != std::errc{} || point == end || *point != '.') return false;
  if (std::from_chars(point + 1, end, minor).ec != std::errc{}) return false;
  return major < 7 || (major == 7 && minor < 2);
}

}  // namespace

void ReplicaWait::ask(Request& parent, const std::vector<Backend*>& nodes, std::string_view wait, uint64_t patience) {
  places_.clear();
  // All children exist before the first is sent: one that fails at once must not complete the parent.
  for (Backend* const node : nodes) {
    places_.push_back(std::make_unique<Place>());
    places_.back()->backend = node;
    Request& child = turn_.requests.take_child(parent, Wire::redis);
    child.command = parent.command;
    child.preludes = 1;
    child.push_hop(this, places_.size() - 1);
  }
  std::string wire;
  Request* next = parent.children;
  for (const auto& place : places_) {
    Request& child = *std::exchange(next, next->next);
    Failure why = Failure::none;
    place->connection = place->backend->lease(*place, why);
    if (place->connection == nullptr) {
      routing::fail(child, why);
      continue;
    }
    wire.assign(reads_count(place->backend->version()) ? kPing : kEmptyWrite).append(wait);
    child.bytes = wire;
    place->backend->counters().requests.add();
    place->connection->set_patience(patience);
    place->connection->send(child);
  }
}

HopResult ReplicaWait::on_reply(Request& child, uint64_t place) noexcept {
  Place& mine = *places_[place];
  BackendConnection* const connection = std::exchange(mine.connection, nullptr);
  if (connection == nullptr) return HopResult::done;
  // Answered, it is clean. A request that could not even be sent leaves one about which nothing is certain.
  if (child.failure == Failure::none) {
    mine.backend->leases().give_back(*connection, {});
  } else {
    mine.backend->leases().drop(*connection);
  }
  return HopResult::done;
}

bool ReplicaWait::waiting() const {
  return std::ranges::any_of(places_, [](const auto& place) { return place->connection != nullptr; });
}

void ReplicaWait::end() noexcept {
  for (const auto& place : places_) {
    if (BackendConnection* const connection = std::exchange(place->connection, nullptr)) {
      place->backend->leases().drop(*connection);
    }
  }
}

}  // namespace overlord::proxy
