// What is told of a request while its answer is written, when somebody wants to know.

#include "proxy/request_entry.h"
#include "proxy/session.h"

namespace overlord::proxy {

const std::string& Session::client_text() {
  std::string& text = rare().client;
  if (text.empty()) text = net::to_string(remote_address());
  return text;
}

void Session::tell_of(const routing::Request& request, uint64_t took) {
  const uint64_t now = turn_.now();
  if (took > cluster_.slow_after() && may_be_slow(request)) {
    turn_.slow.record(request_entry(request, cluster_, client_text(), now));
  }
  for (const auto& tail : turn_.tails.all()) {
    tail->look(cluster_.worker(), request, cluster_, now, [this]() -> const std::string& { return client_text(); });
  }
}

}  // namespace overlord::proxy
