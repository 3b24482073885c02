#pragma once
// Store: the latest slow requests of each cluster, for everyone who asks. Any thread; a lock is taken, but only by those
// who read and by the one thread that collects.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "slowlog/entry.h"

namespace overlord::slowlog {

class Store {
 public:
  static constexpr size_t kKept = 1024;  // of each cluster

  // Numbers the entry and keeps it. Returns it as it is kept.
  Entry add(Entry entry);
  // Newest first, at most `count`.
  std::vector<Entry> latest(std::string_view cluster, size_t count) const;
  // Of all clusters, newest first, at most `count` in all.
  std::vector<Entry> latest(size_t count) const;
  size_t size(std::string_view cluster) const;
  void reset(std::string_view cluster);

 private:
  mutable std::mutex mutex_;
  uint64_t next_number_ = 1;
  std::map<std::string, std::deque<Entry>, std::less<>> clusters_;  // newest at the front
};

// One line without its newline: a JSON object (docs/operations.md has its fields), without a number when it has none. Bytes of a key that are no UTF-8 are
// shown as U+FFFD.
std::string json_line(const Entry& entry);

}  // namespace overlord::slowlog
