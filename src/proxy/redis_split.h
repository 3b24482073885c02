#pragma once
// split_by_node: MGET, MSET, DEL and their like over several backends: one command per backend, in key order.

#include "protocol/redis/command.h"
#include "protocol/redis/request_parser.h"
#include "proxy/cluster.h"
#include "routing/request.h"

namespace overlord::proxy {

// parent: owned by the session, not sent. Its children are made and sent here; when all keys are on one backend the
// command goes there as it is, as a single child whose reply is the answer.
void split_by_node(routing::Request& parent, const redis::Command& command, const redis::RequestParser& request,
                   Cluster& cluster);

}  // namespace overlord::proxy
