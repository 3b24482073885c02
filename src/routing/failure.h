#pragma once
// Failure: why the proxy itself answers a request with an error, and the words each protocol gets.
// The texts name no address: they go to clients.

#include <cstdint>
#include <string_view>

namespace overlord::routing {

enum class Failure : uint8_t {
  none,
  backend_down,     // cannot connect, or waiting to reconnect
  connection_lost,  // the backend closed or reset with the request in flight
  timed_out,        // no reply within read_timeout
  bad_reply,        // the backend sent what is not the protocol
  queue_full,       // too many requests wait for this backend
  no_backend,       // every backend is ejected
  too_large,        // a reply or request beyond what the proxy holds
  cross_node,       // keys of one command live on different nodes
  refused_auth,     // the backend wants another password
  no_lease,         // every connection that clients may have for themselves is taken (max_leased_connections)
  shutting_down,
  slot_not_served,  // redis_cluster: no node has the slot
  slot_moved,       // redis_cluster: the request cannot be sent to its new place, because its bytes were not kept
  redirect_loop     // redis_cluster: nodes send it to and fro
};
inline constexpr int kFailureCount = 15;

// Stable lower-case names, for metrics and logs.
std::string_view failure_name(Failure failure);
// A whole line with CRLF: "-ERR ..." and "SERVER_ERROR ...".
std::string_view redis_error_line(Failure failure);
std::string_view memcache_error_line(Failure failure);

}  // namespace overlord::routing
