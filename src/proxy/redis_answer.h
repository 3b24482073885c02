#pragma once
// write_redis_answer: a finished redis request as bytes for its client, in its protocol (request.shape); children's
// replies are merged.

#include "base/chunk.h"
#include "protocol/redis/resp3.h"
#include "routing/request.h"

namespace overlord::proxy {

void write_redis_answer(routing::Request& request, routing::RequestPool& pool, ChunkQueue& out);
// Takes all of `chain` through the converter.
void convert_chain(redis::Resp3Converter& converter, ChunkQueue& chain, ChunkPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
