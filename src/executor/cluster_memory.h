#pragma once
// What a redis_cluster node's own nodes.conf says of it, while it does not run.

#include <string_view>

namespace overlord::executor {

// Whether it had slots when it wrote the file, and somebody copies it. Started at once such a node would be the master
// still, without its data, and its replicas would throw theirs away; when they have replaced it, it comes back as a replica.
bool has_heirs(std::string_view nodes_conf);

}  // namespace overlord::executor
