// What the pages for operators show of one client.

#include "proxy/session.h"
#include "proxy/snapshot.h"

namespace overlord::proxy {

ClientSnapshot Session::snapshot() const {
  ClientSnapshot out;
  out.id = id_;
  out.cluster = cluster_.config().name;
  out.address = net::to_string(remote_address());
  out.requests = weight_;
  out.idle_ns = idle_ns();
  out.unsent = unsent();
  out.kept = kept_bytes();
  return out;
}

}  // namespace overlord::proxy
