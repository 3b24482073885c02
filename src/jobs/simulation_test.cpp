// Every job, killed at every act: the next scheduler finishes it, with the same end state.

#include <cstdlib>
#include <iostream>

#include "jobs/sim_run.h"

namespace overlord::jobs::sim {
namespace {

using model::CacheType;
using model::JobKind;
using model::JobState;

// With a sanitizer it takes long: what is all there is to see is seen in the plain build, which the stage system runs.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kOnce = true;
#else
constexpr bool kOnce = false;
#endif

uint64_t wanted(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  if (text == nullptr && kOnce) return 1;
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Case {
  const char* name;
  CacheType type;
  JobKind kind;
  uint32_t before = 3;  // shards
  uint32_t after = 3;
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

const Case kCases[] = {
    {"CreateMemcache", CacheType::memcache, JobKind::create},
    {"CreateRedis", CacheType::redis, JobKind::create},
    {"CreateRedisCluster", CacheType::redis_cluster, JobKind::create},
    {"DestroyMemcache", CacheType::memcache, JobKind::destroy},
    {"DestroyRedis", CacheType::redis, JobKind::destroy},
    {"DestroyRedisCluster", CacheType::redis_cluster, JobKind::destroy},
    {"GrowMemcache", CacheType::memcache, JobKind::scale, 3, 5},
    {"GrowRedis", CacheType::redis, JobKind::scale, 3, 5},
    {"GrowRedisCluster", CacheType::redis_cluster, JobKind::scale, 3, 6},
    {"ShrinkMemcache", CacheType::memcache, JobKind::scale, 5, 3},
    {"ShrinkRedis", CacheType::redis, JobKind::scale, 5, 3},
    {"ShrinkRedisCluster", CacheType::redis_cluster, JobKind::scale, 6, 3},
    {"ResizeMemcache", CacheType::memcache, JobKind::resize},
    {"ResizeRedis", CacheType::redis, JobKind::resize},
    {"ResizeRedisCluster", CacheType::redis_cluster, JobKind::resize},
    {"RestartMemcache", CacheType::memcache, JobKind::restart},
    {"RestartRedis", CacheType::redis, JobKind::restart},
    {"RestartRedisCluster", CacheType::redis_cluster, JobKind::restart},
    {"ReplaceMemcache", CacheType::memcache, JobKind::replace},
    {"ReplaceRedis", CacheType::redis, JobKind::replace},
    {"ReplaceRedisCluster", CacheType::redis_cluster, JobKind::replace},
    {"RecoverMemcache", CacheType::memcache, JobKind::recover},
    {"RecoverRedis", CacheType::redis, JobKind::recover},
    {"RecoverRedisCluster", CacheType::redis_cluster, JobKind::recover},
    {"DrainMemcache", CacheType::memcache, JobKind::drain},
    {"DrainRedis", CacheType::redis, JobKind::drain},
    {"DrainRedisCluster", CacheType::redis_cluster, JobKind::drain},
    {"RebalanceRedisCluster", CacheType::redis_cluster, JobKind::rebalance},
    {"ConfigureMemcache", CacheType::memcache, JobKind::configure},
    {"ConfigureRedis", CacheType::redis, JobKind::configure},
    {"ConfigureRedisCluster", CacheType::redis_cluster, JobKind::configure},
    {"UpgradeMemcache", CacheType::memcache, JobKind::upgrade},
    {"UpgradeRedis", CacheType::redis, JobKind::upgrade},
    {"UpgradeRedisCluster", CacheType::redis_cluster, JobKind::upgrade},
};

bool keeps_keys(const Case& one) { return one.kind == JobKind::scale && one.type == CacheType::redis_cluster; }

class EveryJob : public testing::TestWithParam<Case> {
 protected:
  // A world with the cluster as it is before the job, and the job made. The same for the same seed.
  static std::unique_ptr<Play> prepared(const Case& one, uint64_t seed, std::string& id) {
    auto play = std::make_unique<Play>(seed);
    model::Cluster cluster = Play::cluster(one.type, one.before);
    if (one.kind == JobKind::create) {
      id = play->create(cluster);
      return play;
    }
    const std::string create = play->create(cluster);
    Scheduler first(play->world);
    EXPECT_TRUE(play->finish(first, create));
    EXPECT_EQ(play->job(create).state, JobState::done) << play->job(create).reason;
    play->fill();
    for (int i = 0; i < 20; ++i) play->world.advance(100);
    id = play->begin(intent(one, *play));
    return play;
  }

  static model::Intent intent(const Case& one, Play& play) {
    model::Intent intent{.kind = one.kind, .cluster = "a"};
    const std::vector<model::Node> nodes = play.read().cluster_nodes("a");
    switch (one.kind) {
      case JobKind::scale: intent.shards = one.after; break;
      case JobKind::resize: intent.memory_mib = 768; break;
      case JobKind::upgrade: intent.version = "7.0.16"; break;
      case JobKind::configure: intent.settings = {{"maxmemory-policy", "allkeys-lfu"}}; break;
      case JobKind::replace: intent.nodes = {nodes.front().address()}; break;
      case JobKind::recover:
        intent.hosts = {nodes.front().host};
        play.world.hosts.at(nodes.front().host).up = false;
        for (int i = 0; i < 100; ++i) play.world.advance(100);
        break;
      case JobKind::drain: intent.hosts = {nodes.front().host}; break;
      case JobKind::rebalance:
        // A failover has turned one shard round.
        for (auto& [address, proc] : play.world.buses.procs) {
          if (proc.master.empty()) continue;
          play.world.buses.promote(proc, play.world.at);
          break;
        }
        for (int i = 0; i < 20; ++i) play.world.advance(100);
        break;
      default: break;
    }
    return intent;
  }

  // The end of it: hosts that were lost come back, and what they still run is ended.
  static void settle(const Case& one, Play& play, Scheduler& scheduler) {
    for (auto& [name, host] : play.world.hosts) host.up = true;
    play.run(scheduler, [&] { return play.faults().empty(); }, 200'000);
    EXPECT_EQ(play.faults(), std::vector<std::string>()) << one.name;
  }
};

TEST_P(EveryJob, IsFinishedByTheNextWhereverOneIsKilled) {
  const Case& one = GetParam();
  const uint64_t seed = wanted("OVERLORD_SEED", 1);
  std::string id;
  int64_t acts = 0;
  size_t steps = 0;
  std::string end;
  uint64_t keys = 0;
  {
    auto play = prepared(one, seed, id);
    keys = play->keys();
    Scheduler scheduler(play->world);
    ASSERT_TRUE(play->finish(scheduler, id)) << to_json(play->job(id));
    const model::Job job = play->job(id);
    ASSERT_EQ(job.state, JobState::done) << job.reason;
    acts = scheduler.fuse.acts;
    steps = job.steps.size();
    settle(one, *play, scheduler);
    ASSERT_FALSE(HasFailure());
    end = play->signature();
    EXPECT_TRUE(!keeps_keys(one) || play->keys() == keys);
  }
  // All of them in a long run; in a short one evenly spread, with the first and the last.
  const auto most = static_cast<int64_t>(wanted("OVERLORD_KILLS", acts > 500 ? 4 : 12));
  const int64_t stride = std::max<int64_t>(1, acts / most);
  size_t kills = 0;
  for (int64_t at = 0; at < acts; at += stride) {
    for (const bool behind : {false, true}) {
      auto play = prepared(one, seed, id);
      {
        Scheduler killed(play->world, {.kill_at = at, .behind = behind});
        play->finish(killed, id);
      }
      Scheduler next(play->world);
      ASSERT_TRUE(play->finish(next, id))
          << "killed " << (behind ? "behind" : "before") << " act " << at << ": " << to_json(play->job(id));
      ASSERT_EQ(play->job(id).state, JobState::done) << "act " << at << ": " << play->job(id).reason;
      settle(one, *play, next);
      ASSERT_FALSE(HasFailure()) << "killed " << (behind ? "behind" : "before") << " act " << at;
      ASSERT_EQ(play->signature(), end) << "killed " << (behind ? "behind" : "before") << " act " << at;
      ASSERT_TRUE(!keeps_keys(one) || play->keys() == keys) << "act " << at;
      ++kills;
    }
  }
  EXPECT_GT(kills, 0U);
  std::cout << one.name << ": " << steps << " steps, " << acts << " acts, killed " << kills << " times\n";
}

// Answers are lost and calls fail all the time, and schedulers are killed now and then.
TEST_P(EveryJob, IsFinishedUnderFaults) {
  const Case& one = GetParam();
  const uint64_t seeds = wanted("OVERLORD_SEEDS", 2);
  const uint64_t first = wanted("OVERLORD_SEED", 1);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    std::string id;
    auto play = prepared(one, seed, id);
    bool over = false;
    for (int life = 0; life < 50 && !over; ++life) {
      Scheduler hurt(play->world, {.kill_at = static_cast<int64_t>(play->world.random() % 60),
                                   .behind = play->world.random() % 2 == 0,
                                   .fail_one_in = 12,
                                   .random = std::mt19937_64(play->world.random())});
      over = play->finish(hurt, id) || is_over(play->job(id).state);
    }
    Scheduler last(play->world);
    ASSERT_TRUE(play->finish(last, id)) << "seed " << seed << ": " << to_json(play->job(id));
    ASSERT_EQ(play->job(id).state, JobState::done) << "seed " << seed << ": " << play->job(id).reason;
    settle(one, *play, last);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// Cancelled after any number of turns: taken back, or refused and done, or stopped where it may stop. Never in between.
TEST_P(EveryJob, CanBeCancelledAnywhere) {
  const Case& one = GetParam();
  const uint64_t seeds = wanted("OVERLORD_SEEDS", 2) * 3;
  size_t cancelled = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    std::string id;
    auto play = prepared(one, seed, id);
    const std::string before = play->signature();
    const uint64_t keys = play->keys();
    Scheduler scheduler(play->world);
    const uint64_t turns = play->world.random() % (seed % 2 == 1 ? 10 : 80);
    uint64_t turn = 0;
    play->run(scheduler, [&] { return ++turn > turns || is_over(play->job(id).state); });
    if (is_over(play->job(id).state)) continue;
    ASSERT_TRUE(ask_of_job(play->world.store, id, Wish::cancel, play->world.at).has_value());
    ASSERT_TRUE(play->finish(scheduler, id)) << "seed " << seed << ": " << to_json(play->job(id));
    const JobState state = play->job(id).state;
    ASSERT_TRUE(state == JobState::done || state == JobState::cancelled) << play->job(id).reason;
    cancelled += state == JobState::cancelled ? 1 : 0;
    settle(one, *play, scheduler);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << " after " << turns << " turns: " << to_json(play->job(id));
    if (one.kind != JobKind::scale) continue;
    if (state == JobState::cancelled) {
      ASSERT_EQ(play->signature(), before) << "seed " << seed;
    }
    ASSERT_TRUE(!keeps_keys(one) || play->keys() == keys) << "seed " << seed;
  }
  std::cout << one.name << ": cancelled " << cancelled << " of " << seeds << " times\n";
}

INSTANTIATE_TEST_SUITE_P(Simulation, EveryJob, testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace overlord::jobs::sim
