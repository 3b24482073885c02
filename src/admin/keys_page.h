#pragma once
// Pages on requests and keys, as JSON: the slow requests, the hot keys and the big keys.

#include <chrono>

#include "http/server.h"
#include "proxy/proxy.h"

namespace overlord::admin {

// ?cluster=NAME (all when missing), ?count=N (1 to 1024)
http::Response slow_page(proxy::Proxy& proxy, const http::Request& request);
http::Response hot_keys_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience);
http::Response big_keys_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience);

}  // namespace overlord::admin
