#pragma once
// GET /tail: requests live, as they are answered, one a line of JSON with the fields of the slow log.

#include <chrono>

#include "http/server.h"
#include "proxy/proxy.h"

namespace overlord::admin {

// ?cluster=, cmd=, key=, client=, backend=: patterns; errors=1, slower_than= (us), sample=N: one of so many; limit=N: the end
// after so many. {"dropped":N} stands for those that came too fast for whoever reads.
http::Response tail_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience);

}  // namespace overlord::admin
