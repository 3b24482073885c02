#include "proxy/tail.h"

#include <utility>

#include "protocol/redis/glob.h"
#include "proxy/cluster.h"
#include "proxy/request_entry.h"
#include "routing/command_tag.h"

namespace overlord::proxy {

using routing::Request;

namespace {

bool passes(const std::string& pattern, std::string_view text) {
  return pattern.empty() || redis::glob_match_exact(pattern, text);
}

// A node with an alias is named "ALIAS (ADDRESS)": either will do.
bool passes_node(const std::string& pattern, std::string_view name) {
  if (passes(pattern, name)) return true;
  const size_t space = name.find(" (");
  return space != std::string_view::npos &&
         (passes(pattern, name.substr(0, space)) || passes(pattern, name.substr(space + 2, name.size() - space - 3)));
}

// The request or the part of it whose key passes; null: none does.
const Request* with_key(const std::string& pattern, const Request& request, Cluster& cluster) {
  if (request.noted_size > 0 && passes(pattern, shown_key(request, cluster).view())) return &request;
  for (const Request* child = request.children; child != nullptr; child = child->next) {
    if (const Request* found = with_key(pattern, *child, cluster)) return found;
  }
  return nullptr;
}

}  // namespace

Tail::Tail(TailFilter filter, size_t workers)
    : filter_(std::move(filter)), late_sample_(!filter_.client.empty() || !filter_.node.empty()) {
  for (size_t i = 0; i < workers; ++i) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->to_skip = filter_.sample - 1;
  }
}

bool Tail::wants(const Request& request, Cluster& cluster, uint64_t now, const Request*& named) const {
  const config::ClusterConfig& config = cluster.config();
  if (!filter_.cluster.empty() && filter_.cluster != config.name) return false;
  if (now - request.began_at < filter_.slower_than) return false;
  const bool redis = config::is_redis(config.cache_type);
  if (!passes(filter_.command, routing::tag_name(redis, request.tag.number))) return false;
  if (filter_.errors && error_of(request, redis).empty()) return false;
  if (filter_.key.empty()) return true;
  named = with_key(filter_.key, request, cluster);
  return named != nullptr;
}

void Tail::add(Part& part, const Request& request, const Request& named, Cluster& cluster, std::string_view client,
               uint64_t now) const {
  if (!passes(filter_.client, client)) return;
  slowlog::Entry entry = request_entry(request, cluster, client, now);
  if (!passes_node(filter_.node, entry.node.view())) return;
  if (late_sample_ && !sampled(part)) return;
  if (&named != &request) {
    entry.key = shown_key(named, cluster);
    entry.key_size = named.noted_size;
    entry.key_hashed = cluster.config().slowlog_hash_keys;
  }
  part.ring.push(entry);
}

uint64_t Tail::dropped() const {
  uint64_t sum = 0;
  for (const auto& part : parts_) sum += part->ring.dropped();
  return sum;
}

}  // namespace overlord::proxy
