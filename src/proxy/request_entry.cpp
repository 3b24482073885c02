#include "proxy/request_entry.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "proxy/cluster.h"
#include "routing/command_tag.h"
#include "sketch/key_id.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

// The part that was answered last: it is what the client waited for.
const Request& slowest(const Request& request) {
  const Request* last = &request;
  for (const Request* child = request.children; child != nullptr; child = child->next) {
    const Request& candidate = slowest(*child);
    if (candidate.answered_at > last->answered_at) last = &candidate;
  }
  return *last;
}

uint32_t parts_of(const Request& request) {
  uint32_t parts = request.sent_at > 0 ? 1 : 0;
  for (const Request* child = request.children; child != nullptr; child = child->next) parts += parts_of(*child);
  return parts;
}

uint64_t unix_us(uint64_t ns_ago) {
  using std::chrono::microseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<microseconds>(now).count()) - ns_ago / 1000;
}

slowlog::Stages stages_of(const Request& request, const Request& part, uint64_t now) {
  const uint64_t sent = std::max(part.sent_at, request.began_at);
  const uint64_t served = std::max(part.served_at, sent);
  const uint64_t answered = std::max(part.answered_at, served);
  return {.wait = sent - request.began_at,
          .queue = served - sent,
          .backend = answered - served,
          .write = std::max(now, answered) - answered};
}

// The proxy's own answers are not marked as errors, as those of nodes are.
bool is_error_text(std::string_view text, bool redis) {
  if (redis) return text.starts_with('-');
  return text.starts_with("ERROR") || text.starts_with("CLIENT_ERROR") || text.starts_with("SERVER_ERROR");
}

}  // namespace

std::string_view error_of(const Request& request, bool redis) {
  if (request.failure != Failure::none) return routing::failure_name(request.failure);
  const bool own = request.wire == routing::Wire::none && is_error_text(request.reply_view(), redis);
  if (request.error_reply || own) return slowlog::kErrorReply;
  for (const Request* child = request.children; child != nullptr; child = child->next) {
    if (const std::string_view error = error_of(*child, redis); !error.empty()) return error;
  }
  return {};
}

slowlog::Text<48> shown_key(const Request& request, Cluster& cluster) {
  const std::string_view front = request.noted_front();
  if (!cluster.config().slowlog_hash_keys || front.empty()) return slowlog::Text<48>(front);
  // The secret stays the same while the process lives, so that one key can be recognized in many lines.
  const uint64_t id = sketch::key_id(front, cluster.shared().secret + request.noted_size);
  char digits[32];
  const int size = std::snprintf(digits, sizeof(digits), "%016" PRIx64, id);
  return slowlog::Text<48>({digits, static_cast<size_t>(size)});
}

slowlog::Entry request_entry(const Request& request, Cluster& cluster, std::string_view client, uint64_t now) {
  const config::ClusterConfig& config = cluster.config();
  const bool redis = config::is_redis(config.cache_type);
  const Request& part = slowest(request);
  slowlog::Entry entry;
  entry.began_us = unix_us(now - request.began_at);
  entry.stages = stages_of(request, part, now);
  entry.parts = parts_of(request);
  entry.command = routing::tag_name(redis, request.tag.number);
  entry.error = error_of(request, redis);
  entry.redis = redis;
  entry.cluster.set(config.name);
  entry.client.set(client);
  if (part.answered_at > 0) {
    if (const Backend* backend = cluster.pool().find(part.backend)) {
      entry.node.set(std::string_view(backend->name()).substr(config.name.size() + 1));  // "cluster/node"
    }
  }
  const Request& named = request.noted_size > 0 ? request : part;
  entry.key_size = named.noted_size;
  entry.key_hashed = config.slowlog_hash_keys && named.noted_size > 0;
  entry.key = shown_key(named, cluster);
  return entry;
}

}  // namespace overlord::proxy
