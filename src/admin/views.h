#pragma once
// The pages about what the proxy does at this moment, as JSON. They are made of plain values that the workers gave.

#include <chrono>

#include "http/server.h"
#include "proxy/proxy.h"

namespace overlord::admin {

http::Response clusters_page(const proxy::Snapshot& snapshot);
// ?cluster=NAME: of this one alone.
http::Response backends_page(const proxy::Snapshot& snapshot, const http::Request& request);

// ?cluster=NAME&limit=N: clients that are connected, at most `limit` (100, at most 1000) of each worker, newest first.
http::Response clients_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience);
// The configuration that is in force, without its secrets.
http::Response config_page(const proxy::Proxy& proxy);
// ?cluster=NAME&key=KEY&cmd=NAME: where a key would go, and what the proxy does with the command. Nothing is sent.
http::Response explain_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience);

// reload_pages.cpp: how a reload ended; one that was refused is 422.
http::Response report_page(const proxy::Proxy& proxy, const proxy::ReloadReport& report);
// What a reload would change, as text; 422 and the problems when the files have errors.
http::Response diff_page(const proxy::Proxy& proxy);

}  // namespace overlord::admin
