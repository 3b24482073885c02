// What it costs to count how long a request took.
#include <benchmark/benchmark.h>

#include <array>
#include <random>

#include "base/histogram.h"

namespace overlord {
namespace {

void add(benchmark::State& state) {
  // Times as requests have them: around state.range microseconds, with a long tail.
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> time(0, 0.7);
  std::array<uint64_t, 4096> times{};
  for (uint64_t& ns : times) ns = static_cast<uint64_t>(time(random) * 1000 * static_cast<double>(state.range(0)));
  Histogram histogram;
  size_t i = 0;
  for (auto _ : state) {
    histogram.add(times[i++ % times.size()]);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(add)->Arg(40)->Arg(400)->Arg(4000)->ArgName("us");

}  // namespace
}  // namespace overlord

BENCHMARK_MAIN();
