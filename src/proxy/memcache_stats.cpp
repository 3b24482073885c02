// The answer to `stats`: the nodes' statistics merged, and the proxy's own.

#include <unistd.h>

#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/memcache/stats_merge.h"
#include "protocol/memcache/text.h"
#include "proxy/cluster_totals.h"
#include "proxy/memcache_answer.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;
using routing::RequestPool;

std::string own_memcache_stats(Cluster& cluster) {
  const ClusterTotals totals(cluster);
  std::string text;
  const auto stat = [&text](std::string_view name, std::string_view value) {
    text.append(memcache::kStatPrefix).append("overlord_").append(name).append(" ").append(value).append("\r\n");
  };
  stat("version", OVERLORD_VERSION);
  stat("pid", std::to_string(::getpid()));
  stat("cluster", cluster.config().name);
  stat("uptime", std::to_string(static_cast<uint64_t>(::time(nullptr)) - cluster.shared().started_at));
  stat("curr_connections", std::to_string(cluster.shared().connections.get()));
  stat("total_connections", std::to_string(totals.of(&ClusterCounters::accepted)));
  stat("rejected_connections", std::to_string(totals.refused()));
  stat("requests", std::to_string(totals.of(&ClusterCounters::requests)));
  stat("refused_logins", std::to_string(totals.of(&ClusterCounters::refused_logins)));
  for (const auto& [name, count] : totals.edge()) stat(name, std::to_string(count));
  for (size_t i = 1; i < routing::kFailureCount; ++i) {
    const auto failure = static_cast<routing::Failure>(i);
    stat("failures_" + std::string(routing::failure_name(failure)), std::to_string(totals.failures(failure)));
  }
  return text;
}

std::string merged_memcache_stats(Request& request, RequestPool& pool, const std::string& own) {
  std::vector<std::string_view> replies;
  uint32_t silent = 0;
  Failure why = Failure::no_backend;
  for (Request* child = request.children; child != nullptr; child = child->next) {
    if (child->failure != Failure::none) {
      ++silent;
      why = child->failure;
    } else {
      replies.push_back(pool.flatten_reply(*child));
    }
  }
  if (replies.empty()) return std::string(routing::memcache_error_line(why));
  auto [text, merged] = memcache::merge_stats(request.key, replies);
  silent += static_cast<uint32_t>(replies.size() - merged);
  if (silent > 0 && text == memcache::kReset) {
    // Not all of them were reset.
    if (why == Failure::no_backend) why = Failure::bad_reply;
    return std::string(routing::memcache_error_line(why));
  }
  if (text.ends_with(memcache::kEnd) && (!own.empty() || silent > 0)) {
    text.resize(text.size() - memcache::kEnd.size());
    text.append(own);
    // Sums that leave a server out must not look whole.
    if (silent > 0) text.append("STAT overlord_backends_without_answer ").append(std::to_string(silent)).append("\r\n");
    text.append(memcache::kEnd);
  }
  return std::move(text);
}

}  // namespace overlord::proxy
