#pragma once
// A finished memcache text request as bytes for its client; children's replies are merged.

#include <string>

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

class Cluster;

void write_memcache_answer(routing::Request& request, routing::RequestPool& pool, ChunkQueue& out);

// The children's answers to stats as one: STAT lines and END, RESET, or an error line.
// request.key: the argument of stats. own: STAT lines of the proxy, put before END.
std::string merged_memcache_stats(routing::Request& request, routing::RequestPool& pool, const std::string& own);

// The STAT lines of the proxy itself.
std::string own_memcache_stats(Cluster& cluster);

}  // namespace overlord::proxy
