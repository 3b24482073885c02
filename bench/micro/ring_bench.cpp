// What placement costs: a look-up in rings of several sizes, a hash of a key, both together, and
// building a ring. The interesting row is lookup/1000: 1,000 nodes of 160 points, random hashes.

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"

namespace overlord::hashing {
namespace {

constexpr std::size_t kKeys = 4096;  // a power of two
constexpr std::size_t kKeySize = 32;

std::vector<RingNode> nodes(std::size_t count) {
  std::vector<RingNode> made;
  made.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(
        {ring_name("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256), 6379, "", Compat::overlord), 1});
  }
  return made;
}

// Made as they are needed, so that no array of inputs shares the cache with the ring.
class RandomHashes {
 public:
  /// The next number of a linear congruence; its upper bits, which choose the place, are random.
  std::uint32_t next(std::uint32_t add = 0) { return state_ = state_ * 1664525 + 1013904223 + add; }

 private:
  std::uint32_t state_ = 1;
};

using Key = std::array<char, kKeySize>;

const std::vector<Key>& random_keys() {
  static const std::vector<Key> made = [] {
    std::mt19937 random(2);
    std::vector<Key> keys(kKeys);
    for (Key& key : keys) {
      for (char& byte : key) byte = static_cast<char>('a' + random() % 26);
    }
    return keys;
  }();
  return made;
}

std::string_view text(const Key& key) { return {key.data(), key.size()}; }

// Look-ups that do not wait for each other, as for the keys of different requests.
void lookup(benchmark::State& state) {
  const Ring ring(nodes(static_cast<std::size_t>(state.range(0))), Distribution::ketama, Compat::overlord);
  RandomHashes hashes;
  for (auto _ : state) benchmark::DoNotOptimize(ring.lookup(hashes.next()));
  state.counters["KiB"] = static_cast<double>(ring.memory()) / 1024;
}
BENCHMARK(lookup)->Arg(3)->Arg(10)->Arg(100)->Arg(1000)->Arg(10000);

// Each hash hangs on the answer before it: the whole latency, caches included.
void lookup_latency(benchmark::State& state) {
  const Ring ring(nodes(static_cast<std::size_t>(state.range(0))), Distribution::ketama, Compat::overlord);
  RandomHashes hashes;
  std::uint32_t last = 0;
  for (auto _ : state) last = ring.lookup(hashes.next(last));
  benchmark::DoNotOptimize(last);
}
BENCHMARK(lookup_latency)->Arg(3)->Arg(1000);

void lookup_modula(benchmark::State& state) {
  const Ring ring(nodes(1000), Distribution::modula, Compat::twemproxy);
  RandomHashes hashes;
  for (auto _ : state) benchmark::DoNotOptimize(ring.lookup(hashes.next()));
}
BENCHMARK(lookup_modula);

void hash_key(benchmark::State& state, Method method) {
  const HashFn function = hash_function(method, Compat::overlord);
  const std::vector<Key>& keys = random_keys();
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(function(text(keys[i++ % kKeys])));
}

// Each key is chosen by the hash before it: nothing overlaps, the chain of multiplications shows.
void hash_latency(benchmark::State& state) {
  const HashFn function = hash_function(kDefaultMethod, Compat::overlord);
  const std::vector<Key>& keys = random_keys();
  std::uint32_t last = 0;
  std::uint32_t i = 0;
  for (auto _ : state) last = function(text(keys[(last + i++) % kKeys]));
  benchmark::DoNotOptimize(last);
}
BENCHMARK(hash_latency);

// Tag, hash and ring: what a request pays to be placed.
void place_key(benchmark::State& state) {
  const Ring ring(nodes(1000), Distribution::ketama, Compat::overlord);
  const HashFn function = hash_function(kDefaultMethod, Compat::overlord);
  const HashTag tag("{}", Compat::overlord);
  const std::vector<Key>& keys = random_keys();
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.lookup(function(tag.trim(text(keys[i++ % kKeys])))));
  }
}
BENCHMARK(place_key);

void build(benchmark::State& state) {
  const std::vector<RingNode> made = nodes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(Ring(made, Distribution::ketama, Compat::overlord));
  }
}
BENCHMARK(build)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace overlord::hashing

int main(int argc, char** argv) {
  using namespace overlord::hashing;
  for (const std::string_view name : method_names()) {
    const Method method = *parse_method(name);
    if (name != method_name(method)) continue;  // an alias
    benchmark::RegisterBenchmark(("hash_32_bytes/" + std::string(name)).c_str(), hash_key, method);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
