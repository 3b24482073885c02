#include "protocol/memcache/stats_merge.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "protocol/memcache/reply_line.h"
#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

// Of plain `stats`; of items and slabs what follows the class number.
constexpr std::string_view kFirst[] = {"pid",
                                       "time",
                                       "version",
                                       "libevent",
                                       "pointer_size",
                                       "hash_power_level",
                                       "reserved_fds",
                                       "chunk_size",
                                       "chunks_per_page",
                                       "accepting_conns",
                                       "hash_is_expanding",
                                       "slab_reassign_running",
                                       "lru_crawler_running"};
constexpr std::string_view kHighest[] = {"uptime", "age", "age_hot", "age_warm", "evicted_time"};

constexpr uint64_t kMicros = 1000000;

struct Number {
  uint64_t whole = 0;
  uint64_t micros = 0;
  bool decimals = false;

  auto operator<=>(const Number& other) const {
    if (const auto order = whole <=> other.whole; order != 0) return order;
    return micros <=> other.micros;
  }
};

std::optional<Number> read_number(std::string_view text) {
  Number number;
  const size_t point = text.find('.');
  if (!parse_u64(text.substr(0, point), number.whole)) return std::nullopt;
  if (point == text.npos) return number;
  const std::string_view decimals = text.substr(point + 1);
  if (decimals.size() != 6 || !parse_u64(decimals, number.micros)) return std::nullopt;
  number.decimals = true;
  return number;
}

Number add(const Number& a, const Number& b) {
  Number sum;
  sum.decimals = a.decimals || b.decimals;
  sum.micros = a.micros + b.micros;
  const uint64_t carry = sum.micros / kMicros;
  sum.micros %= kMicros;
  if (__builtin_add_overflow(a.whole, b.whole, &sum.whole) || __builtin_add_overflow(sum.whole, carry, &sum.whole)) {
    sum.whole = UINT64_MAX;
  }
  return sum;
}

void append(std::string& text, const Number& number) {
  text += std::to_string(number.whole);
  if (!number.decimals) return;
  const std::string micros = std::to_string(number.micros);
  text += '.';
  text.append(6 - micros.size(), '0');
  text += micros;
}

struct Stat {
  std::string_view name;
  std::string_view value;
};

// Nothing when the reply is not STAT lines and one END.
std::optional<std::vector<Stat>> read_stats(std::string_view reply) {
  std::vector<Stat> stats;
  while (true) {
    const ReplyLine line = parse_reply_line(reply);
    if (line.kind == ReplyKind::end) {
      if (line.size != reply.size()) return std::nullopt;
      return stats;
    }
    if (line.kind != ReplyKind::stat) return std::nullopt;
    const std::string_view text = reply.substr(kStatPrefix.size(), line.size - kStatPrefix.size() - kCrlf.size());
    const size_t blank = std::min(text.find(' '), text.size());
    stats.push_back({text.substr(0, blank), text.substr(std::min(blank + 1, text.size()))});
    reply.remove_prefix(line.size);
  }
}

struct Entry {
  Stat stat;  // as first met
  StatRule rule;
  std::optional<Number> number;
};

void merge_into(Entry& entry, std::string_view value) {
  if (entry.rule == StatRule::first || !entry.number) return;
  const std::optional<Number> number = read_number(value);
  if (!number) {
    entry.number.reset();
  } else if (entry.rule == StatRule::sum) {
    entry.number = add(*entry.number, *number);
  } else {
    entry.number = std::max(*entry.number, *number);
  }
}

std::string write(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    text += kStatPrefix;
    text += entry.stat.name;
    text += ' ';
    if (entry.number && entry.rule != StatRule::first) {
      append(text, *entry.number);
    } else {
      text += entry.stat.value;
    }
    text += kCrlf;
  }
  text += kEnd;
  return text;
}

std::string first_error(std::span<const std::string_view> replies) {
  for (const std::string_view reply : replies) {
    const ReplyLine line = parse_reply_line(reply);
    if (line.kind == ReplyKind::error && line.size == reply.size()) return std::string(reply);
  }
  return std::string(kNoBackend);
}

bool contains(std::span<const std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

StatRule stat_rule(std::string_view kind, std::string_view name) {
  if (kind == "settings") return StatRule::first;
  if (kind == "sizes") return StatRule::sum;  // a name is an item size
  const size_t colon = name.rfind(':');
  if (colon != name.npos) name.remove_prefix(colon + 1);
  if (contains(kFirst, name)) return StatRule::first;
  return contains(kHighest, name) ? StatRule::highest : StatRule::sum;
}

MergedStats merge_stats(std::string_view kind, std::span<const std::string_view> replies) {
  MergedStats out;
  std::vector<Entry> entries;
  std::unordered_map<std::string_view, size_t> places;
  for (const std::string_view reply : replies) {
    if (kind == "reset") {
      if (reply == kReset) ++out.merged;
      continue;
    }
    const auto stats = read_stats(reply);
    if (!stats) continue;
    ++out.merged;
    for (const Stat& stat : *stats) {
      const auto [place, fresh] = places.try_emplace(stat.name, entries.size());
      if (!fresh && kind != "conns") {
        merge_into(entries[place->second], stat.value);
        continue;
      }
      const StatRule rule = kind == "conns" ? StatRule::first : stat_rule(kind, stat.name);
      entries.push_back({stat, rule, read_number(stat.value)});
    }
  }
  if (out.merged == 0) {
    out.text = first_error(replies);
  } else {
    out.text = kind == "reset" ? std::string(kReset) : write(entries);
  }
  return out;
}

}  // namespace overlord::memcache
