#pragma once
// Commands over several nodes: sent to every backend that holds keys, or to one of them, as children of the client's
// request; what their replies become is the command's treatment (redis/command.h). The merge happens when the answer
// is written. A child's reply is held until then, within the limit of held replies (backend_connection.cpp).

#include "base/chunk.h"
#include "protocol/redis/command.h"
#include "protocol/redis/request_parser.h"
#include "proxy/cluster.h"
#include "routing/request.h"

namespace overlord::proxy {

// parent: of Wire::none, with its command set, not sent. Fails it when no backend holds keys.
void send_to_nodes(routing::Request& parent, const redis::RequestParser& request, Cluster& cluster);

// The answer of a parent of Answer::merged.
void write_merged_answer(routing::Request& parent, routing::RequestPool& pool, ChunkQueue& out);

}  // namespace overlord::proxy
