#include "proxy/redis_scan.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string>

#include "protocol/redis/writer.h"
#include "proxy/answer.h"
#include "proxy/reply_bytes.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::RequestPool;
using routing::Wire;

namespace {

// Tags from hashes stay below this; what is above is room for those that collide.
constexpr uint32_t kHashedTags = 28672;

constexpr std::string_view kLargeCursor = "-ERR a backend's SCAN cursor is too large for this proxy\r\n";

uint32_t hashed_tag(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<uint32_t>((hash ^ hash >> 32) % kHashedTags) + 1;
}

struct Tagged {
  uint32_t tag;
  Backend* node;
};

// The nodes that hold keys, by tag. The tags come from all backends, so that they stay the same when one leaves.
void tagged_nodes(const Pool& pool, std::vector<Tagged>& out) {
  std::vector<std::string_view> names;
  for (const auto& backend : pool.backends()) names.push_back(backend->name());
  const std::vector<uint32_t> tags = scan_tags(names);
  std::vector<Backend*> owners;
  pool.owners(owners);
  out.clear();
  for (size_t i = 0; i < names.size(); ++i) {
    Backend* const backend = pool.backends()[i].get();
    if (std::ranges::find(owners, backend) != owners.end()) out.push_back({tags[i], backend});
  }
  std::ranges::sort(out, {}, &Tagged::tag);
}

void answer_now(Request& parent, RequestPool& pool, std::string_view text) {
  parent.answer = Answer::reply;
  pool.set_reply(parent, text);
  routing::finish(parent);
}

}  // namespace

bool parse_cursor(std::string_view text, uint64_t& value) {
  value = 0;
  if (text.empty()) return true;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return false;
  if (negative) value = 0 - value;
  return true;
}

std::vector<uint32_t> scan_tags(const std::vector<std::string_view>& names) {
  std::vector<uint32_t> tags(names.size());
  for (size_t i = 0; i < names.size(); ++i) tags[i] = hashed_tag(names[i]);
  std::vector<size_t> order(names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order,
                    [&](size_t a, size_t b) { return tags[a] != tags[b] ? tags[a] < tags[b] : names[a] < names[b]; });
  uint32_t last = 0;
  for (const size_t i : order) last = tags[i] = std::max(tags[i], last + 1);
  return tags;
}

void send_scan(Request& parent, const redis::RequestParser& request, Cluster& cluster) {
  RequestPool& requests = cluster.turn().requests;
  uint64_t given = 0;
  if (!parse_cursor(request.arg(1), given)) return answer_now(parent, requests, "-ERR invalid cursor\r\n");
  ScanCursor cursor = ScanCursor::unpack(given);
  std::vector<Tagged> nodes;
  tagged_nodes(cluster.pool(), nodes);
  if (nodes.empty()) return routing::fail(parent, Failure::no_backend);
  auto at = std::ranges::lower_bound(nodes, cursor.tag, {}, &Tagged::tag);
  if (at == nodes.end() || at->tag > ScanCursor::kMaxTag) {
    return answer_now(parent, requests, "*2\r\n$1\r\n0\r\n*0\r\n");
  }
  if (at->tag != cursor.tag) cursor = {at->tag, 0};

  // The cursor's place in the command is known; what is behind it goes on as it is, also when it is wrong.
  std::string& wire = cluster.scratch();
  wire.clear();
  redis::append_array_header(wire, request.argc());
  redis::append_bulk(wire, "SCAN");
  redis::append_bulk(wire, std::to_string(cursor.node));
  if (request.argc() > 2) wire.append(request.wire().substr(request.arg_header_offset(2)));
  parent.answer = Answer::merged;
  parent.key_hash = cursor.tag;
  parent.key_count = at + 1 == nodes.end() ? 0 : (at + 1)->tag;  // where the scan goes on behind this node
  Request& child = requests.take_child(parent, Wire::redis);
  child.command = parent.command;
  child.bytes = wire;
  at->node->send(child);
}

void write_scan(Request& parent, RequestPool& pool, ChunkQueue& out) {
  Request& child = *parent.children;
  const std::string_view front = reply_front(child, pool);
  int64_t count = 0;
  int64_t length = 0;
  size_t outer = 0;
  size_t inner = 0;
  const std::string_view bad = routing::redis_error_line(Failure::bad_reply);
  if (!read_header(front, '*', count, outer) || count != 2 || !read_header(front.substr(outer), '$', length, inner) ||
      length < 1 || length > 20 || front.size() < outer + inner + static_cast<size_t>(length) + 2) {
    return out.append(pool.chunks(), bad);
  }
  uint64_t node = 0;
  if (!parse_cursor(front.substr(outer + inner, static_cast<size_t>(length)), node)) {
    return out.append(pool.chunks(), bad);
  }
  if (node > ScanCursor::kMaxNodeCursor) return out.append(pool.chunks(), kLargeCursor);
  const ScanCursor next = node == 0 ? ScanCursor{parent.key_count, 0} : ScanCursor{parent.key_hash, node};
  drop_front(child, outer + inner + static_cast<size_t>(length) + 2, pool);
  const std::string text = std::to_string(next.packed());
  write_number('*', 2, pool, out);
  write_number('$', static_cast<int64_t>(text.size()), pool, out);
  out.append(pool.chunks(), text);
  out.append(pool.chunks(), "\r\n");
  write_reply(child, pool, out);
}

}  // namespace overlord::proxy
