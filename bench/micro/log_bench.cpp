// What a line of the log costs that is not written: repeats beyond the rate (LogEvery), and messages below the level.
#include <benchmark/benchmark.h>

#include "base/log.h"

namespace overlord {
namespace {

void repeat_beyond_the_rate(benchmark::State& state) {
  static LogEvery every(std::chrono::hours(1));
  uint64_t written = 0;
  for (auto _ : state) {
    if (auto turn = every.next()) benchmark::DoNotOptimize(++written);
  }
}
BENCHMARK(repeat_beyond_the_rate)->Threads(1)->Threads(2);

void message_below_the_level(benchmark::State& state) {
  int64_t number = 0;
  for (auto _ : state) log_debug(1, "client ", ++number, " connected");
}
BENCHMARK(message_below_the_level);

}  // namespace
}  // namespace overlord

BENCHMARK_MAIN();
