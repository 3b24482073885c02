#pragma once
// write_redis_answer: a finished redis request as bytes for its client; children's replies are merged.

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

void write_redis_answer(routing::Request& request, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
