#pragma once
// What the slow log and those who follow requests live get to know of a request whose answer is being written.

#include <cstdint>
#include <string_view>

#include "routing/request.h"
#include "slowlog/entry.h"

namespace overlord::proxy {

class Cluster;

// now: loop time. client: its address.
slowlog::Entry request_entry(const routing::Request& request, Cluster& cluster, std::string_view client, uint64_t now);
// Why it is shown as failed: as in Entry::error.
std::string_view error_of(const routing::Request& request, bool redis);
// How its key is shown: its front, or a number where the configuration hides keys; empty: it has none.
slowlog::Text<48> shown_key(const routing::Request& request, Cluster& cluster);

}  // namespace overlord::proxy
