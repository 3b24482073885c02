#pragma once
// COMMAND DOCS: what one of the nodes says of its commands, with arguments and history. In place of what it says of
// commands that the proxy refuses stands what the proxy says; so it does for commands that only the proxy knows, and for
// all where no node answers, or one older than 7.0, which has no such command.

#include "base/chunk.h"
#include "routing/request.h"

namespace overlord::proxy {

// parent: with a copy of the client's request and the node's answer as its only child.
void write_docs(routing::Request& parent, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
