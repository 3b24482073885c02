#pragma once
// What writing an answer has in common in both protocols.

#include <string_view>

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

// The reply as it is: its slice, then its chain, which is moved out.
void write_reply(routing::Request& request, routing::RequestPool& pool, ChunkQueue& out);

// The first child that failed, or that its backend answered with an error, decides: its error is written, the failure
// as `line` words it. True when there was one.
bool write_first_error(routing::Request& parent, routing::RequestPool& pool, ChunkQueue& out,
                       std::string_view (*line)(routing::Failure));

}  // namespace overlord::proxy
