#include "routing/failure.h"

#include <array>

namespace overlord::routing {
namespace {

struct Texts {
  std::string_view name;
  std::string_view redis;
  std::string_view memcache;
};

constexpr std::array<Texts, kFailureCount> kTexts{{
    {"none", "", ""},
    {"backend_down", "-ERR backend is down\r\n", "SERVER_ERROR backend is down\r\n"},
    {"connection_lost", "-ERR backend connection lost\r\n", "SERVER_ERROR backend connection lost\r\n"},
    {"timed_out", "-ERR backend timed out\r\n", "SERVER_ERROR backend timed out\r\n"},
    {"bad_reply", "-ERR backend sent a malformed reply\r\n", "SERVER_ERROR backend sent a malformed reply\r\n"},
    {"queue_full", "-ERR backend queue is full\r\n", "SERVER_ERROR backend queue is full\r\n"},
    {"no_backend", "-ERR no backend is available\r\n", "SERVER_ERROR no backend is available\r\n"},
    {"too_large", "-ERR reply is larger than the proxy may hold\r\n",
     "SERVER_ERROR reply is larger than the proxy may hold\r\n"},
    {"cross_node", "-CROSSSLOT Keys in request don't hash to the same slot\r\n",
     "SERVER_ERROR keys are on different nodes\r\n"},
    {"refused_auth", "-ERR backend refused the handshake\r\n", "SERVER_ERROR backend refused the handshake\r\n"},
    {"no_lease", "-ERR too many clients wait for or watch this backend (max_leased_connections)\r\n",
     "SERVER_ERROR too many clients have a connection of their own\r\n"},
    {"shutting_down", "-ERR proxy is shutting down\r\n", "SERVER_ERROR proxy is shutting down\r\n"},
    {"slot_not_served", "-CLUSTERDOWN Hash slot not served\r\n", "SERVER_ERROR hash slot not served\r\n"},
    {"slot_moved", "-TRYAGAIN The slot of a large request moved while it was under way\r\n",
     "SERVER_ERROR the slot of a large request moved\r\n"},
    {"redirect_loop", "-CLUSTERDOWN Too many redirections\r\n", "SERVER_ERROR too many redirections\r\n"},
}};

const Texts& texts(Failure failure) { return kTexts[static_cast<size_t>(failure)]; }

}  // namespace

std::string_view failure_name(Failure failure) { return texts(failure).name; }
std::string_view redis_error_line(Failure failure) { return texts(failure).redis; }
std::string_view memcache_error_line(Failure failure) { return texts(failure).memcache; }

}  // namespace overlord::routing
