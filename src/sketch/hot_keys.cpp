#include "sketch/hot_keys.h"

#include <algorithm>
#include <cstring>

#include "sketch/key_id.h"

namespace overlord::sketch {
namespace {

// Counts below this are noise: a few samples say nothing.
constexpr uint32_t kFewSamples = 4;
constexpr double kNanoseconds = 1e9;

// Without a position to keep, the compiler takes many at a time.
uint32_t least_of(const std::array<uint32_t, HotKeys::kEntries>& counts) {
  uint32_t least = UINT32_MAX;
  for (const uint32_t count : counts) least = std::min(least, count);
  return least;
}

}  // namespace

uint32_t HotKeys::next_gap() {
  // xorshift: any sequence without a period that clients could share will do.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return 1 + static_cast<uint32_t>((random_ >> 33) % (2 * kSampleEvery - 1));
}

size_t HotKeys::find(uint64_t id) const {
  const auto& places = table_->places;
  for (size_t at = id % places.size(); places[at] != 0; at = (at + 1) % places.size()) {
    const size_t entry = places[at] - 1U;
    if (table_->ids[entry] == id) return entry;
  }
  return kEntries;
}

void HotKeys::place(size_t entry) {
  auto& places = table_->places;
  size_t at = table_->ids[entry] % places.size();
  while (places[at] != 0) at = (at + 1) % places.size();
  places[at] = static_cast<uint16_t>(entry + 1);
}

// Takes an entry out of the probing sequence and closes the gap behind it.
void HotKeys::displace(size_t entry) {
  auto& places = table_->places;
  size_t at = table_->ids[entry] % places.size();
  while (places[at] != entry + 1) at = (at + 1) % places.size();
  places[at] = 0;
  for (size_t next = (at + 1) % places.size(); places[next] != 0; next = (next + 1) % places.size()) {
    const size_t moved = places[next] - 1U;
    places[next] = 0;
    place(moved);
  }
}

void HotKeys::sample(std::string_view key) {
  left_ = next_gap();
  if (key.empty()) return;
  if (table_ == nullptr) table_ = std::make_unique<Table>();
  Table& t = *table_;
  const uint64_t id = key_id(key, secret_);
  if (const size_t entry = find(id); entry != kEntries) {
    ++t.counts[entry];
    return;
  }
  size_t entry = t.used;
  uint32_t inherited = 0;
  if (t.used < kEntries) {
    ++t.used;
  } else {
    inherited = least_of(t.counts);
    entry = static_cast<size_t>(std::ranges::find(t.counts, inherited) - t.counts.begin());
    displace(entry);
  }
  t.ids[entry] = id;
  t.counts[entry] = inherited + 1;
  t.errors[entry] = inherited;
  t.names[entry].size = static_cast<uint32_t>(std::min<size_t>(key.size(), UINT32_MAX));
  std::memcpy(t.names[entry].bytes.data(), key.data(), std::min(key.size(), kKeyBytes));
  place(entry);
}

void HotKeys::housekeeping(uint64_t now) {
  if (halved_at_ == 0) halved_at_ = now;
  if (now - halved_at_ < kHalfLife) return;
  aged_ = true;
  halved_at_ = now;
  if (table_ == nullptr) return;
  for (uint32_t& count : table_->counts) count /= 2;
  for (uint32_t& error : table_->errors) error /= 2;
}

std::vector<HotKey> HotKeys::top(size_t count, uint64_t now) const {
  if (table_ == nullptr) return {};
  // A steady rate r leaves r * kHalfLife of past halvings in a count, and adds r for every second since the last.
  const uint64_t since = halved_at_ == 0 ? 0 : now - halved_at_;
  const double seconds = std::max(1.0, static_cast<double>(since + (aged_ ? kHalfLife : 0)) / kNanoseconds);
  std::vector<HotKey> keys;
  for (size_t i = 0; i < table_->used; ++i) {
    const uint32_t sure = table_->counts[i] - table_->errors[i];
    if (sure < kFewSamples) continue;
    const Name& name = table_->names[i];
    keys.push_back({std::string(name.bytes.data(), std::min<size_t>(name.size, kKeyBytes)), name.size, table_->ids[i],
                    static_cast<double>(table_->counts[i]) * kSampleEvery / seconds,
                    static_cast<double>(sure) * kSampleEvery / seconds});
  }
  return merged(std::move(keys), count);
}

std::vector<HotKey> merged(std::vector<HotKey> keys, size_t count) {
  std::ranges::sort(keys, {}, &HotKey::id);
  std::vector<HotKey> sums;
  for (HotKey& key : keys) {
    if (sums.empty() || sums.back().id != key.id) {
      sums.push_back(std::move(key));
    } else {
      sums.back().per_second += key.per_second;
      sums.back().surely += key.surely;
    }
  }
  std::ranges::sort(sums, [](const HotKey& a, const HotKey& b) {
    return a.per_second != b.per_second ? a.per_second > b.per_second : a.key < b.key;
  });
  if (sums.size() > count) sums.resize(count);
  return sums;
}

}  // namespace overlord::sketch
