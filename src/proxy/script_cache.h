#pragma once
// ScriptCache: the Lua scripts of one cluster that came through this process, by their SHA-1, so that a node which lost
// them can be given them again. Bounded in bytes; what was used longest ago goes first. All workers share it: it is
// locked, and asked only when a script is new to a worker or a node answered NOSCRIPT.

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace overlord::proxy {

// Forty lower-case hexadecimal digits.
using ScriptSha = std::array<char, 40>;
ScriptSha script_sha(std::string_view text);

class ScriptCache {
 public:
  // max_bytes: of the scripts' texts and what is kept with each; 0: nothing is ever kept.
  explicit ScriptCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  bool enabled() const { return max_bytes_.load(std::memory_order_relaxed) > 0; }
  void set_max_bytes(uint64_t bytes);
  bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }
  // Changes whenever a script may have left.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void put(const ScriptSha& sha, std::string_view text);
  bool find(const ScriptSha& sha, std::string& text);
  void clear();

 private:
  struct Entry {
    ScriptSha sha;
    std::string text;
  };
  using Entries = std::list<Entry>;
  static std::string_view view(const ScriptSha& sha) { return {sha.data(), sha.size()}; }
  static uint64_t cost(const Entry& entry);
  void shrink();  // under the lock

  std::atomic<uint64_t> max_bytes_;
  std::atomic<size_t> count_{0};
  std::atomic<uint64_t> generation_{1};
  std::mutex mutex_;
  uint64_t bytes_ = 0;
  Entries entries_;  // the last used first
  std::unordered_map<std::string_view, Entries::iterator> by_sha_;
};

}  // namespace overlord::proxy
