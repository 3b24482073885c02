#pragma once
// merge_stats: the answers of several memcached to one `stats` command, as one answer.
// Source: memcached's doc/protocol.txt, "Statistics", and the names that memcached 1.6.18 sends.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace overlord::memcache {

// How the values of one name become one.
enum class StatRule : uint8_t {
  sum,     // counters, sizes, capacities: whole numbers, and seconds with six decimals (rusage_user)
  first,   // what belongs to one server, or is the same on all: pid, version, time, chunk_size, every setting
  highest  // ages: age, age_hot, age_warm, evicted_time; uptime
};

// `kind` is the argument of stats: "", "settings", "items", "slabs", "sizes".
StatRule stat_rule(std::string_view kind, std::string_view name);

struct MergedStats {
  std::string text;   // STAT lines and END; or RESET; or, when no reply is whole, the first error line
  size_t merged = 0;  // replies that are in it; the others were errors, cut off or not of the protocol
};

// `replies` are whole: STAT lines and END, or RESET for "reset", or an error line. Names stay in the order of their
// first appearance. A value that is not a number in every reply is taken from the first reply that has it; a sum
// stops at 2^64-1. "conns" lists connections whose numbers mean nothing elsewhere: its lines are put one behind
// the other. With no usable reply and no error line the text is SERVER_ERROR no backend.
MergedStats merge_stats(std::string_view kind, std::span<const std::string_view> replies);

}  // namespace overlord::memcache
