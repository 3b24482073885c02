#pragma once
// write_exec_answer: the answer to EXEC (Answer::exec) as bytes for its client.

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

// transaction: sent as it is, or the parent of what was sent and of answers that the proxy gave itself, which stand in
// the array at the places that their key_count names.
void write_exec_answer(routing::Request& transaction, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
