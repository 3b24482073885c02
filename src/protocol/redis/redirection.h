#pragma once
// Redirection: what an error line of a Redis Cluster node tells a client to do instead.
// Source: the Redis Cluster specification and redis-server 7.0 (cluster.c, clusterRedirectClient).

#include <cstdint>
#include <string_view>

namespace overlord::redis {

struct Redirection {
  enum class Kind : uint8_t {
    none,             // an error like any other
    moved,            // "-MOVED slot host:port": the slot lives there now
    ask,              // "-ASK slot host:port": this request only, after ASKING
    try_again,        // the keys of one command are on both sides of a slot that is moving
    cluster_down,     // the node has no say now
    slot_not_served,  // nobody has the slot
    loading,          // the node is reading its data set
    master_down,      // a replica that has lost its master and may not serve
  };
  Kind kind = Kind::none;
  uint16_t slot = 0;      // moved and ask
  uint16_t port = 0;      // moved and ask
  std::string_view host;  // moved and ask; a view into the line. Empty: the node that answered, under another port
};

// line: an error reply, "-..." with CRLF. A MOVED or ASK that is not well-formed is `none`.
Redirection parse_redirection(std::string_view line);

}  // namespace overlord::redis
