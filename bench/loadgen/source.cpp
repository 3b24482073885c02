#include "loadgen/source.h"

#include <algorithm>
#include <string>

#include "hashing/slot.h"

namespace loadgen {
namespace {
constexpr uint32_t kRatioScale = 1u << 20;
}

std::vector<uint32_t> usable_keys(const Options& options, const Keyspace& keys) {
  std::vector<uint32_t> usable;
  if (options.slots.first == 0 && options.slots.last == overlord::hashing::kSlots - 1) return usable;
  std::string key(keys.key_size(), '\0');
  for (uint32_t i = 0; i < keys.count(); ++i) {
    keys.write_key(i, key.data());
    const uint32_t slot = overlord::hashing::slot(key);
    if (slot >= options.slots.first && slot <= options.slots.last) usable.push_back(i);
  }
  return usable;
}

void PreloadSource::next(Request& request) {
  request.op = Op::kSet;
  request.count = 1;
  request.key = usable_.empty() ? next_ : usable_[next_];
  ++next_;
}

MixSource::MixSource(const Options& options, const std::vector<uint32_t>& usable)
    : usable_(usable),
      keys_(usable.empty() ? options.keys : static_cast<uint32_t>(usable.size())),
      multi_get_(options.multi_get),
      set_below_(static_cast<uint32_t>(options.set_ratio * kRatioScale)),
      random_(options.seed) {}

uint32_t MixSource::any_key() {
  const uint32_t at = random_.below(keys_);
  return usable_.empty() ? at : usable_[at];
}

void MixSource::next(Request& request) {
  if (random_.below(kRatioScale) < set_below_) {
    request.op = Op::kSet;
    request.count = 1;
    request.key = any_key();
    return;
  }
  request.count = static_cast<uint8_t>(multi_get_);
  if (multi_get_ == 1) {
    request.op = Op::kGet;
    request.key = any_key();
    return;
  }
  request.op = Op::kMultiGet;
  auto& keys = *request.multi;
  for (size_t i = 0; i < multi_get_;) {
    const uint32_t key = any_key();
    if (std::find(keys.begin(), keys.begin() + i, key) == keys.begin() + i) keys[i++] = key;
  }
}

}  // namespace loadgen
