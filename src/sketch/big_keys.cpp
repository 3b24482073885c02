#include "sketch/big_keys.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "sketch/key_id.h"

namespace overlord::sketch {

void BigKeys::note(std::string_view front, uint64_t key_size, uint64_t bytes, uint64_t now) {
  if (front.empty()) return;
  front = front.substr(0, kKeyBytes);
  if (table_ == nullptr) table_ = std::make_unique<Table>();
  Table& t = *table_;
  const uint64_t id = key_id(front, secret_ + key_size);
  const auto begin = t.entries.begin();
  const auto end = begin + static_cast<ptrdiff_t>(t.used);
  auto entry = std::find_if(begin, end, [id](const Entry& e) { return e.id == id; });
  if (entry == end) {
    if (t.used < kEntries) {
      ++t.used;
    } else {
      entry = std::min_element(begin, end, [](const Entry& a, const Entry& b) { return a.bytes < b.bytes; });
      if (entry->bytes >= bytes) return;
    }
    entry->id = id;
    entry->key_size = key_size;
    entry->front_size = static_cast<uint32_t>(front.size());
    std::memcpy(entry->key.data(), front.data(), front.size());
    entry->bytes = 0;
  }
  const bool was_least = entry->bytes <= floor_;
  entry->bytes = bytes;
  entry->seen_at = now;
  if (was_least || bytes <= floor_) find_floor();
}

void BigKeys::find_floor() {
  floor_ = kSmallest;
  if (table_->used < kEntries) return;
  floor_ = UINT64_MAX;
  for (const Entry& entry : table_->entries) floor_ = std::min(floor_, entry.bytes);
}

void BigKeys::housekeeping(uint64_t now) {
  if (table_ == nullptr) return;
  Table& t = *table_;
  const size_t before = t.used;
  for (size_t i = 0; i < t.used;) {
    if (now - t.entries[i].seen_at < kForget) {
      ++i;
    } else if (i != --t.used) {
      t.entries[i] = t.entries[t.used];
    }
  }
  if (t.used != before) find_floor();
}

std::vector<BigKey> BigKeys::top(size_t count) const {
  std::vector<BigKey> keys;
  if (table_ == nullptr) return keys;
  for (size_t i = 0; i < table_->used; ++i) {
    const Entry& e = table_->entries[i];
    keys.push_back({std::string(e.key.data(), e.front_size), e.key_size, e.id, e.bytes, e.seen_at});
  }
  return merged(std::move(keys), count);
}

std::vector<BigKey> merged(std::vector<BigKey> keys, size_t count) {
  std::ranges::sort(keys, [](const BigKey& a, const BigKey& b) {
    return std::tie(a.id, b.seen_at) < std::tie(b.id, a.seen_at);  // of a key the latest first
  });
  const auto repeated = std::ranges::unique(keys, {}, &BigKey::id);
  keys.erase(repeated.begin(), repeated.end());
  std::ranges::sort(
      keys, [](const BigKey& a, const BigKey& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.key < b.key; });
  if (keys.size() > count) keys.resize(count);
  return keys;
}

}  // namespace overlord::sketch
