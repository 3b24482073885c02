#pragma once
// A finished memcache text request as bytes for its client; children's replies are merged.

#include <string>

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

void write_memcache_answer(routing::Request& request, routing::RequestPool& pool, ChunkQueue& out);

// request.key: the argument of stats. own: STAT lines of the proxy, put before END.
void write_memcache_stats(routing::Request& request, routing::RequestPool& pool, const std::string& own,
                          ChunkQueue& out);

}  // namespace overlord::proxy
