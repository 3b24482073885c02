#include "proxy/redis_fanout.h"

#include <algorithm>
#include <random>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "proxy/answer.h"
#include "proxy/redis_docs.h"
#include "proxy/redis_scan.h"
#include "proxy/reply_bytes.h"

namespace overlord::proxy {

using redis::Treatment;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::RequestPool;
using routing::Wire;

namespace {

const std::string_view kBadReply = routing::redis_error_line(Failure::bad_reply);
constexpr std::string_view kRandomKey = "*1\r\n$9\r\nRANDOMKEY\r\n";
constexpr std::string_view kSize = "*1\r\n$6\r\nDBSIZE\r\n";

bool is_error(const Request& child) { return child.failure != Failure::none || child.error_reply; }

void write_keys(Request& parent, RequestPool& pool, ChunkQueue& out) {
  int64_t total = 0;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    int64_t count = 0;
    size_t header = 0;
    if (!read_header(reply_front(*child, pool), '*', count, header) || count < 0) {
      return out.append(pool.chunks(), kBadReply);
    }
    drop_front(*child, header, pool);
    total += count;
  }
  write_number('*', total, pool, out);
  for (Request* child = parent.children; child != nullptr; child = child->next) write_reply(*child, pool, out);
}

// reply/reply_size of each child become a cursor over its elements.
void write_all_and(Request& parent, RequestPool& pool, ChunkQueue& out) {
  int64_t length = -1;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    int64_t count = 0;
    size_t header = 0;
    if (!read_header(pool.flatten_reply(*child), '*', count, header) || count < 0 || (length >= 0 && count != length)) {
      return out.append(pool.chunks(), kBadReply);
    }
    drop_front(*child, header, pool);
    length = count;
  }
  write_number('*', length, pool, out);
  for (int64_t i = 0; i < length; ++i) {
    bool all = true;
    for (Request* child = parent.children; child != nullptr; child = child->next) {
      int64_t value = 0;
      size_t size = 0;
      all = read_header(child->reply_view(), ':', value, size) && value == 1 && all;
      drop_front(*child, size, pool);
    }
    write_number(':', all ? 1 : 0, pool, out);
  }
}

// One that is OK decides. Else the error that says most: one that is not about nothing being there to kill.
void write_all_any(Request& parent, RequestPool& pool, ChunkQueue& out) {
  Request* telling = nullptr;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    if (!is_error(*child)) return write_reply(*child, pool, out);
    if (telling == nullptr && !pool.flatten_reply(*child).starts_with("-NOTBUSY")) telling = child;
  }
  Request& child = telling == nullptr ? *parent.children : *telling;
  if (child.failure != Failure::none) return out.append(pool.chunks(), routing::redis_error_line(child.failure));
  write_reply(child, pool, out);
}

void write_running(Request& parent, RequestPool& pool, ChunkQueue& out) {
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    const std::string_view reply = pool.flatten_reply(*child);
    constexpr std::string_view kName = "running_script\r\n";
    const size_t at = reply.find(kName);
    if (at == std::string_view::npos) continue;
    const std::string_view value = reply.substr(at + kName.size());
    const bool idle = value.starts_with("$-1\r") || value.starts_with("*-1\r") || value.starts_with("_\r");
    if (!idle) return write_reply(*child, pool, out);
  }
  write_reply(*parent.children, pool, out);
}

// Children come in pairs: a key of a node and the number of its keys. Nodes that failed or are empty are left out.
void write_random_key(Request& parent, RequestPool& pool, ChunkQueue& out) {
  thread_local std::minstd_rand random{std::random_device{}()};
  Request* chosen = nullptr;
  int64_t seen = 0;
  Request* failed = nullptr;
  for (Request* child = parent.children; child != nullptr; child = child->next->next) {
    if (is_error(*child)) {
      if (failed == nullptr) failed = child;
      continue;
    }
    int64_t count = 0;
    size_t header = 0;
    if (read_header(reply_front(*child, pool), '$', count, header) && count < 0) continue;
    Request& size = *child->next;
    if (is_error(size) || !read_header(reply_front(size, pool), ':', count, header) || count < 1) count = 1;
    seen += count;
    if (std::uniform_int_distribution<int64_t>(1, seen)(random) <= count) chosen = child;
  }
  if (chosen != nullptr) return write_reply(*chosen, pool, out);
  if (failed == nullptr) return out.append(pool.chunks(), "$-1\r\n");
  if (failed->failure != Failure::none) return out.append(pool.chunks(), routing::redis_error_line(failed->failure));
  write_reply(*failed, pool, out);
}

// Elements of all arrays, each once.
void write_channels(Request& parent, RequestPool& pool, ChunkQueue& out) {
  std::unordered_set<std::string_view> seen;
  std::vector<std::string_view> elements;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    std::string_view rest = pool.flatten_reply(*child);
    int64_t count = 0;
    size_t header = 0;
    if (!read_header(rest, '*', count, header)) return out.append(pool.chunks(), kBadReply);
    rest.remove_prefix(header);
    for (; count > 0; --count) {
      const size_t size = element_size(rest);
      if (seen.insert(rest.substr(0, size)).second) elements.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
  }
  write_number('*', static_cast<int64_t>(elements.size()), pool, out);
  for (const std::string_view element : elements) out.append(pool.chunks(), element);
}

// Arrays of the same names, a number behind each: the numbers are added.
void write_counts(Request& parent, RequestPool& pool, ChunkQueue& out) {
  int64_t length = -1;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    int64_t count = 0;
    size_t header = 0;
    if (!read_header(pool.flatten_reply(*child), '*', count, header) || count < 0 || count % 2 != 0 ||
        (length >= 0 && count != length)) {
      return out.append(pool.chunks(), kBadReply);
    }
    drop_front(*child, header, pool);
    length = count;
  }
  write_number('*', length, pool, out);
  for (int64_t i = 0; i < length; i += 2) {
    int64_t sum = 0;
    for (Request* child = parent.children; child != nullptr; child = child->next) {
      const size_t name = element_size(child->reply_view());
      if (child == parent.children) out.append(pool.chunks(), child->reply, name);
      drop_front(*child, name, pool);
      int64_t number = 0;
      size_t size = 0;
      if (read_header(child->reply_view(), ':', number, size)) sum += number;
      drop_front(*child, size, pool);
    }
    write_number(':', sum, pool, out);
  }
}

void write_extreme(Request& parent, RequestPool& pool, ChunkQueue& out, bool greatest) {
  int64_t found = greatest ? 0 : INT64_MAX;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    int64_t number = 0;
    size_t size = 0;
    if (!read_header(pool.flatten_reply(*child), ':', number, size)) return out.append(pool.chunks(), kBadReply);
    found = greatest ? std::max(found, number) : std::min(found, number);
  }
  write_number(':', found, pool, out);
}

Answer answer_of(Treatment treatment) {
  switch (treatment) {
    case Treatment::all_sum: return Answer::sum;
    case Treatment::all_ok: return Answer::all_ok;
    case Treatment::all_same:
    case Treatment::any_node: return Answer::forward_child;
    default: return Answer::merged;
  }
}

}  // namespace

void send_to_nodes(Request& parent, const redis::RequestParser& request, Cluster& cluster) {
  const Treatment treatment = parent.command->treatment;
  if (treatment == Treatment::scan) return send_scan(parent, request, cluster);
  thread_local std::vector<Backend*> nodes;
  nodes.clear();
  cluster.pool().owners(nodes);
  if (nodes.empty()) return routing::fail(parent, Failure::no_backend);
  parent.answer = answer_of(treatment);
  if (treatment == Treatment::any_node || treatment == Treatment::docs) nodes.resize(1);
  if (treatment == Treatment::docs) {
    parent.bytes = request.wire();
    if (!cluster.turn().requests.keep_bytes(parent)) return routing::fail(parent, Failure::too_large);
    cluster.turn().requests.set_reply(parent, learned_docs(request, cluster.learned().all()));
  }
  const bool pairs = treatment == Treatment::all_random;
  // All children exist before the first is sent: one that fails at once must not complete the parent.
  for (size_t i = 0; i < nodes.size() * (pairs ? 2 : 1); ++i) {
    Request& child = cluster.turn().requests.take_child(parent, Wire::redis);
    child.command = parent.command;
    child.bytes = pairs ? (i % 2 == 0 ? kRandomKey : kSize) : request.wire();
  }
  Request* child = parent.children;
  for (Backend* const node : nodes) {
    for (int i = 0; i < (pairs ? 2 : 1); ++i) {
      Request& part = *child;
      child = child->next;
      node->send(part);
    }
  }
}

void write_merged_answer(Request& parent, RequestPool& pool, ChunkQueue& out) {
  switch (parent.command->treatment) {
    case Treatment::all_any: return write_all_any(parent, pool, out);
    case Treatment::all_random: return write_random_key(parent, pool, out);
    case Treatment::docs: return write_docs(parent, pool, out);
    default: break;
  }
  if (write_first_error(parent, pool, out, routing::redis_error_line)) return;
  switch (parent.command->treatment) {
    case Treatment::scan: return write_scan(parent, pool, out);
    case Treatment::all_keys: return write_keys(parent, pool, out);
    case Treatment::all_and: return write_all_and(parent, pool, out);
    case Treatment::all_running: return write_running(parent, pool, out);
    case Treatment::all_channels: return write_channels(parent, pool, out);
    case Treatment::all_counts: return write_counts(parent, pool, out);
    case Treatment::all_most: return write_extreme(parent, pool, out, true);
    case Treatment::all_least: return write_extreme(parent, pool, out, false);
    default: return out.append(pool.chunks(), kBadReply);
  }
}

}  // namespace overlord::proxy
