#include "proxy/script_cache.h"

#include <openssl/evp.h>

#include <iterator>

namespace overlord::proxy {

ScriptSha script_sha(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  constexpr std::string_view kDigits = "0123456789abcdef";
  ScriptSha sha{};
  for (size_t i = 0; i < sha.size() / 2; ++i) {
    sha[2 * i] = kDigits[digest[i] >> 4];
    sha[2 * i + 1] = kDigits[digest[i] & 15];
  }
  return sha;
}

uint64_t ScriptCache::cost(const Entry& entry) {
  constexpr uint64_t kBookkeeping = 64;  // of the list and the map
  return entry.text.size() + sizeof(Entry) + kBookkeeping;
}

void ScriptCache::put(const ScriptSha& sha, std::string_view text) {
  if (text.size() > max_bytes_.load(std::memory_order_relaxed) / 4) return;  // one that would drive all others out
  const std::lock_guard lock(mutex_);
  if (const auto found = by_sha_.find(view(sha)); found != by_sha_.end()) {
    return entries_.splice(entries_.begin(), entries_, found->second);
  }
  entries_.push_front({sha, std::string(text)});
  by_sha_.emplace(view(entries_.front().sha), entries_.begin());
  bytes_ += cost(entries_.front());
  shrink();
}

void ScriptCache::set_max_bytes(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  max_bytes_.store(bytes, std::memory_order_relaxed);
  shrink();
}

void ScriptCache::shrink() {
  while (bytes_ > max_bytes_.load(std::memory_order_relaxed)) {
    const Entry& last = entries_.back();
    bytes_ -= cost(last);
    by_sha_.erase(view(last.sha));
    entries_.pop_back();
    generation_.fetch_add(1, std::memory_order_release);
  }
  count_.store(entries_.size(), std::memory_order_relaxed);
}

bool ScriptCache::find(const ScriptSha& sha, std::string& text) {
  const std::lock_guard lock(mutex_);
  const auto found = by_sha_.find(view(sha));
  if (found == by_sha_.end()) return false;
  entries_.splice(entries_.begin(), entries_, found->second);
  text = found->second->text;
  return true;
}

void ScriptCache::clear() {
  const std::lock_guard lock(mutex_);
  by_sha_.clear();
  entries_.clear();
  bytes_ = 0;
  count_.store(0, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
}

}  // namespace overlord::proxy
