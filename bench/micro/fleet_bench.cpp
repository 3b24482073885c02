// What placing costs: clusters of twelve nodes on a fleet of 10,000 hosts until 100,000 nodes are placed, one cluster as
// large as the fleet, and recovering a lost host.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "placement/plan.h"

namespace overlord::placement {
namespace {

Fleet hosts(uint32_t count, uint32_t nodes_each) {
  std::vector<Host> all;
  for (uint32_t i = 0; i < count; ++i) {
    all.push_back({.name = "10." + std::to_string(i / 62'500) + "." + std::to_string(i / 250 % 250) + "." +
                           std::to_string(i % 250 + 1),
                   .zone = "z" + std::to_string(i % 3),
                   .rack = "r" + std::to_string(i / 40),
                   .memory_mib = 1024ULL * (nodes_each + i % 7),
                   .cpu_milli = 1000ULL * nodes_each,
                   .ports = {{21'000, 21'999}}});
  }
  return Fleet(std::move(all));
}

void many_clusters(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const Rules rules = chunk_rules(1024, 1000);
  const Fleet fresh = hosts(count, 12);
  uint64_t nodes = 0;
  for (auto _ : state) {
    Fleet fleet = fresh;
    for (uint32_t placed = 0; placed < count * 10;) {
      const Outcome outcome = create(fleet, rules, 6);
      if (!outcome) {
        state.SkipWithError(outcome.error().text().c_str());
        return;
      }
      fleet.take(outcome->after.nodes, rules);
      placed += static_cast<uint32_t>(outcome->after.nodes.size());
      nodes += outcome->after.nodes.size();
    }
  }
  state.counters["nodes"] = benchmark::Counter(static_cast<double>(nodes), benchmark::Counter::kIsRate);
}
BENCHMARK(many_clusters)->Arg(100)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(1);

void one_cluster(benchmark::State& state, const Rules& rules, uint32_t masters) {
  const Fleet fleet = hosts(10'000, 12);
  for (auto _ : state) {
    const Outcome outcome = create(fleet, rules, masters);
    if (!outcome) state.SkipWithError(outcome.error().text().c_str());
    benchmark::DoNotOptimize(outcome);
  }
}
BENCHMARK_CAPTURE(one_cluster, redis_cluster_16384, chunk_rules(1024, 1000), 16'384)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_cluster, redis_cluster_16383_odd, chunk_rules(1024, 1000), 16'383)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_cluster, memcache_100000, dist_rules(1024, 1000), 100'000)->Unit(benchmark::kMillisecond);

void lost_hosts(benchmark::State& state, uint64_t room) {
  const Rules rules = chunk_rules(1024, 1000);
  Fleet fleet = hosts(10'000, 12);
  const Outcome made = create(fleet, rules, 16'384);
  fleet.take(made->after.nodes, rules);
  std::vector<std::string> lost;
  for (int64_t i = 0; i < state.range(0); ++i) lost.push_back(fleet[static_cast<size_t>(i)].name);
  // Few of the hosts that remain have room, `room` in all.
  std::vector<Host> left(fleet.hosts().begin(), fleet.hosts().end());
  for (size_t i = left.size(); i-- > 0;) {
    const uint64_t here = std::min<uint64_t>(room, 4);
    room -= here;
    left[i].memory_mib = here * 1024;
  }
  const Fleet tight(std::move(left));
  for (auto _ : state) benchmark::DoNotOptimize(recover(tight, rules, made->after, lost));
}
BENCHMARK_CAPTURE(lost_hosts, room_for_all, 1'000'000)->Arg(1)->Arg(40)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(lost_hosts, too_little_room, 200)->Arg(400)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace overlord::placement

BENCHMARK_MAIN();
