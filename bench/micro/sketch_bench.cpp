// What watching keys costs a request: touching a hot-key sketch with keys that are all alike, skewed, and all
// different (where nearly every sample takes another key's place), and asking whether a value is big.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "sketch/big_keys.h"
#include "sketch/hot_keys.h"

namespace overlord::sketch {
namespace {

constexpr size_t kRequests = 1 << 16;

// skew 0: uniform over kRequests keys; towards 1: few keys have most of the requests.
std::vector<std::string> keys(double skew) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> part(0, 1);
  std::vector<std::string> made;
  for (size_t i = 0; i < kRequests; ++i) {
    const double place = std::pow(part(random), 1 / (1 - skew));
    made.push_back("user:profile:" + std::to_string(static_cast<size_t>(place * kRequests)));
  }
  return made;
}

void touch(benchmark::State& state) {
  HotKeys sketch(42);
  const auto requests = keys(static_cast<double>(state.range(0)) / 100);
  size_t at = 0;
  for (auto _ : state) sketch.touch(requests[at++ % kRequests]);
}
BENCHMARK(touch)->ArgName("skew")->Arg(0)->Arg(50)->Arg(90);

void big(benchmark::State& state) {
  BigKeys sketch(42);
  const auto names = keys(0);
  std::mt19937_64 random(2);
  std::vector<uint64_t> sizes(kRequests);
  for (uint64_t& size : sizes) size = random() % static_cast<uint64_t>(state.range(0));
  size_t at = 0;
  for (auto _ : state) {
    const size_t i = at++ % kRequests;
    if (sketch.wants(sizes[i])) sketch.note(names[i], names[i].size(), sizes[i], at);
  }
}
BENCHMARK(big)->ArgName("up to")->Arg(100)->Arg(100'000);

}  // namespace
}  // namespace overlord::sketch

BENCHMARK_MAIN();
