#include "proxy/slow_recorder.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "proxy/cluster.h"
#include "routing/command_tag.h"
#include "sketch/key_id.h"

namespace overlord::proxy {

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

}  // namespace

void SlowRecorder::record(const slowlog::Entry& entry) {
  slowlog::Ring* ring = ring_.load(std::memory_order_relaxed);
  if (ring == nullptr) {
    ring = new slowlog::Ring;
    ring_.store(ring, std::memory_order_release);
  }
  ring->push(entry);
}

bool may_be_slow(const Request& request) {
  return request.command == nullptr || (request.command->flags & redis::kBlocking) == 0;
}

slowlog::Entry slow_entry(const Request& request, Cluster& cluster, std::string_view client, uint64_t now) {
  const config::ClusterConfig& config = cluster.config();
  const Request& part = slowest(request);
  slowlog::Entry entry;
  entry.began_us = unix_us(now - request.began_at);
  entry.stages = stages_of(request, part, now);
  entry.parts = parts_of(request);
  entry.command = routing::tag_name(config::is_redis(config.cache_type), request.tag.number);
  if (request.failure != routing::Failure::none) entry.error = routing::failure_name(request.failure);
  entry.cluster.set(config.name);
  entry.client.set(client);
  if (part.answered_at > 0) {
    if (const Backend* backend = cluster.pool().find(part.backend)) {
      entry.node.set(std::string_view(backend->name()).substr(config.name.size() + 1));  // "cluster/node"
    }
  }
  const Request& named = request.noted_size > 0 ? request : part;
  const std::string_view key = named.noted_front();
  entry.key_size = named.noted_size;
  entry.key_hashed = config.slowlog_hash_keys && named.noted_size > 0;
  if (!entry.key_hashed) {
    entry.key.set(key);
  } else {
    // The secret stays the same while the process lives, so that one key can be recognized in many lines.
    const uint64_t id = sketch::key_id(key, cluster.shared().secret + named.noted_size);
    char digits[32];
    const int size = std::snprintf(digits, sizeof(digits), "%016" PRIx64, id);
    entry.key.set({digits, static_cast<size_t>(size)});
  }
  return entry;
}

}  // namespace overlord::proxy
