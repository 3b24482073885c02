#include "loadgen/source.h"

#include <algorithm>

namespace loadgen {
namespace {
constexpr uint32_t kRatioScale = 1u << 20;
}

void PreloadSource::next(Request& request) {
  request.op = Op::kSet;
  request.count = 1;
  request.key = next_++;
}

MixSource::MixSource(const Options& options)
    : keys_(options.keys),
      multi_get_(options.multi_get),
      set_below_(static_cast<uint32_t>(options.set_ratio * kRatioScale)),
      random_(options.seed) {}

void MixSource::next(Request& request) {
  if (random_.below(kRatioScale) < set_below_) {
    request.op = Op::kSet;
    request.count = 1;
    request.key = random_.below(keys_);
    return;
  }
  request.count = static_cast<uint8_t>(multi_get_);
  if (multi_get_ == 1) {
    request.op = Op::kGet;
    request.key = random_.below(keys_);
    return;
  }
  request.op = Op::kMultiGet;
  auto& keys = *request.multi;
  for (size_t i = 0; i < multi_get_;) {
    const uint32_t key = random_.below(keys_);
    if (std::find(keys.begin(), keys.begin() + i, key) == keys.begin() + i) keys[i++] = key;
  }
}

}  // namespace loadgen
