#include "proxy/redis_split.h"

#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "protocol/redis/writer.h"

namespace overlord::proxy {

using redis::ArgCursor;
using redis::Command;
using redis::Treatment;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

namespace {

// "*<n>\r\n$<n>\r\n<name>\r\n" is written in front of the arguments once their number is known.
constexpr size_t kHeaderRoom = 64;
constexpr size_t kMaxChildren = UINT16_MAX;

// What one backend gets. Kept by the worker's thread between commands for its memory.
struct Part {
  int32_t target = routing::kNoTarget;
  uint32_t args = 0;
  uint32_t keys = 0;
  std::string_view first_key;
  std::string wire;
};

struct Scratch {
  std::vector<Part> parts;
  size_t used = 0;
  std::vector<uint32_t> part_of;  // by target + 1: index of its part + 1, valid when the stamp fits
  std::vector<uint64_t> stamp_of;
  uint64_t stamp = 0;

  Part& part(int32_t target, uint16_t& index) {
    const size_t slot = static_cast<size_t>(target) + 1;
    if (slot >= part_of.size()) {
      part_of.resize(slot + 1);
      stamp_of.resize(slot + 1);
    }
    if (stamp_of[slot] != stamp) {
      stamp_of[slot] = stamp;
      part_of[slot] = static_cast<uint32_t>(used);
      if (used == parts.size()) parts.emplace_back();
      Part& fresh = parts[used++];
      fresh.target = target;
      fresh.args = fresh.keys = 0;
      fresh.wire.assign(kHeaderRoom, ' ');
    }
    index = static_cast<uint16_t>(part_of[slot]);
    return parts[part_of[slot]];
  }
};

std::string_view with_header(Part& part, std::string_view name) {
  char header[kHeaderRoom];
  char* at = header;
  *at++ = '*';
  at = std::to_chars(at, header + kHeaderRoom, part.args + 1).ptr;
  std::memcpy(at, "\r\n$", 3);
  at = std::to_chars(at + 3, header + kHeaderRoom, name.size()).ptr;
  std::memcpy(at, "\r\n", 2);
  at += 2;
  std::memcpy(at, name.data(), name.size());
  at += name.size();
  std::memcpy(at, "\r\n", 2);
  at += 2;
  const size_t size = static_cast<size_t>(at - header);
  std::memcpy(part.wire.data() + kHeaderRoom - size, header, size);
  return std::string_view(part.wire).substr(kHeaderRoom - size);
}

Answer answer_of(Treatment treatment) {
  if (treatment == Treatment::split_mget) return Answer::mget;
  return treatment == Treatment::split_mset ? Answer::mset : Answer::sum;
}

}  // namespace

void split_by_node(Request& parent, const Command& command, const redis::RequestParser& request, Cluster& cluster) {
  thread_local Scratch scratch;
  ++scratch.stamp;
  scratch.used = 0;
  Turn& turn = cluster.turn();
  const bool pairs = command.treatment == Treatment::split_mset;
  const bool ordered = command.treatment == Treatment::split_mget;
  parent.key_count = (request.argc() - 1) / (pairs ? 2 : 1);
  if (ordered) parent.key_map = turn.buffers.take(parent.key_count * sizeof(uint16_t));
  auto* map = reinterpret_cast<uint16_t*>(parent.key_map.data);

  ArgCursor cursor(request);
  cursor.next();
  for (uint32_t i = 0; cursor.next(); ++i) {
    const std::string_view key = cursor.value();
    cluster.keys().touch(key);
    if (i == 0) parent.note_key(key);
    uint16_t index = 0;
    Part& part = scratch.part(cluster.root().group(key), index);
    if (part.keys++ == 0) part.first_key = key;
    if (ordered) map[i] = index;
    part.wire.append(cursor.wire());
    ++part.args;
    if (pairs && cursor.next()) {
      part.wire.append(cursor.wire());
      ++part.args;
    }
  }
  if (scratch.used > kMaxChildren) return routing::fail(parent, Failure::too_large);

  // All children exist before the first is sent: one that fails at once must not complete the parent.
  const bool whole = scratch.used == 1;
  parent.answer = whole ? Answer::forward_child : answer_of(command.treatment);
  for (size_t i = 0; i < scratch.used; ++i) {
    Part& part = scratch.parts[i];
    Request& child = turn.requests.take_child(parent, Wire::redis);
    child.command = &command;
    child.key = part.first_key;
    child.key_count = part.keys;
    if (part.keys == 1) child.note_key(part.first_key);
    child.bytes = whole ? request.wire() : with_header(part, command.name);
  }
  for (Request* child = parent.children; child != nullptr;) {
    Request* next = child->next;
    cluster.root().send(*child);
    child = next;
  }
  // A burst of huge commands must not hold its memory for ever.
  for (size_t i = 0; i < scratch.used; ++i) {
    if (scratch.parts[i].wire.capacity() > 1024 * 1024) std::string().swap(scratch.parts[i].wire);
  }
}

}  // namespace overlord::proxy
