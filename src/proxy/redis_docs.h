#pragma once
// COMMAND DOCS: what one of the nodes says of its commands, with arguments and history. In place of what it says of
// commands that the proxy refuses stands what the proxy says; so it does for commands that only the proxy knows, and for
// all where no node answers, or one older than 7.0, which has no such command.

#include <span>
#include <string>

#include "base/chunk.h"
#include "protocol/redis/command.h"
#include "routing/request.h"

namespace overlord::proxy {

// What the proxy says of those of the commands asked for that were learned: the elements of an answer.
std::string learned_docs(const redis::RequestParser& asked, std::span<const redis::Command* const> learned);

// parent: with a copy of the client's request, learned_docs as its own reply, and the node's answer as its only child.
void write_docs(routing::Request& parent, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
