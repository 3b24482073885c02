// What the leader mends by itself, and jobs that wait, are paused, cancelled, retried, refused.

#include "jobs/heal.h"

#include "jobs/sim_run.h"

namespace overlord::jobs::sim {
namespace {

using model::CacheType;
using model::ClusterState;
using model::JobKind;
using model::JobState;

std::unique_ptr<Play> with_cluster(CacheType type, uint32_t hosts = 6, uint64_t seed = 1) {
  auto play = std::make_unique<Play>(seed, hosts);
  const std::string id = play->create(Play::cluster(type));
  Scheduler scheduler(play->world);
  EXPECT_TRUE(play->finish(scheduler, id));
  EXPECT_EQ(play->faults(), std::vector<std::string>());
  return play;
}

bool well(Play& play, Scheduler& scheduler, Moment limit = 1'200'000) {
  return play.run(scheduler, [&] { return play.read().open_jobs.empty() && play.faults().empty(); }, limit);
}

size_t jobs_of(const Play& play, JobKind kind) {
  size_t count = 0;
  for (const auto& [id, kept] : play.read().jobs) count += kept.value.intent.kind == kind ? 1 : 0;
  return count;
}

class Healing : public testing::TestWithParam<CacheType> {};

TEST_P(Healing, ADeadNodeIsStartedWhereItIs) {
  auto play = with_cluster(GetParam());
  Scheduler scheduler(play->world);
  play->run(scheduler, [] { return true; });
  const std::string address = play->read().cluster_nodes("a").front().address();
  const uint32_t before = play->read().node(address)->incarnation;
  play->world.kill_task(address);
  ASSERT_FALSE(play->faults().empty());
  EXPECT_TRUE(well(*play, scheduler, 60'000)) << testing::PrintToString(play->faults());
  EXPECT_EQ(jobs_of(*play, JobKind::replace), 0U);
  EXPECT_EQ(play->read().node(address)->incarnation, before + 1);
}

TEST_P(Healing, ANodeThatDoesNotStartAnyMoreGetsAnotherHost) {
  auto play = with_cluster(GetParam());
  const model::Node node = play->read().cluster_nodes("a").front();
  play->world.broken_addresses.insert(node.address());
  play->world.kill_task(node.address());
  Scheduler scheduler(play->world);
  EXPECT_TRUE(well(*play, scheduler)) << testing::PrintToString(play->faults());
  EXPECT_EQ(jobs_of(*play, JobKind::replace), 1U);
  const State state = play->read();
  EXPECT_EQ(state.node(node.address()), nullptr);
  const std::string& now = state.in_force.at("a").at(node.alias);
  EXPECT_NE(state.node(now)->host, node.host);
}

TEST_P(Healing, ALostHostIsReplacedAndNothingOfItRemainsWhenItComesBack) {
  auto play = with_cluster(GetParam());
  const std::string host = play->read().cluster_nodes("a").front().host;
  Scheduler scheduler(play->world);
  play->run(scheduler, [] { return true; });
  play->world.hosts.at(host).up = false;
  EXPECT_TRUE(play->run(scheduler, [&] {
    const State state = play->read();
    return state.open_jobs.empty() &&
           std::ranges::none_of(state.cluster_nodes("a"), [&](const model::Node& node) { return node.host == host; });
  })) << play->signature();
  EXPECT_TRUE(play->read().hosts.at(host).value.lost);
  EXPECT_EQ(jobs_of(*play, JobKind::recover), 1U);
  play->world.hosts.at(host).up = true;
  EXPECT_TRUE(well(*play, scheduler, 60'000)) << testing::PrintToString(play->faults());
  EXPECT_FALSE(play->read().hosts.at(host).value.lost);
}

TEST_P(Healing, AHostThatComesBackSoonIsLeftAlone) {
  auto play = with_cluster(GetParam());
  Scheduler scheduler(play->world);
  play->run(scheduler, [] { return true; });
  const std::string host = play->read().cluster_nodes("a").front().host;
  play->world.hosts.at(host).up = false;
  const Moment until = play->world.at + 30'000;
  play->run(scheduler, [&] { return play->world.at >= until; });
  play->world.hosts.at(host).up = true;
  EXPECT_TRUE(well(*play, scheduler, 60'000)) << testing::PrintToString(play->faults());
  EXPECT_EQ(jobs_of(*play, JobKind::recover), 0U);
}

TEST_P(Healing, AHostThatIsDrainedIsEmptied) {
  auto play = with_cluster(GetParam());
  Scheduler scheduler(play->world);
  play->run(scheduler, [] { return true; });
  const State state = play->read();
  const std::string name = state.cluster_nodes("a").front().host;
  model::Host host = state.hosts.at(name).value;
  host.draining = true;
  ASSERT_TRUE(play->world.store.commit({{}, {store::put(store::keys::of(store::keys::kHosts, name), to_json(host))}}));
  EXPECT_TRUE(play->run(scheduler, [&] {
    return std::ranges::none_of(play->read().cluster_nodes("a"),
                                [&](const model::Node& node) { return node.host == name; }) &&
           play->read().open_jobs.empty();
  }));
  EXPECT_EQ(play->faults(), std::vector<std::string>());
  EXPECT_EQ(jobs_of(*play, JobKind::drain), 1U);
}

TEST_P(Healing, WhatCannotBeMendedCallsForAttention) {
  auto play = with_cluster(GetParam());
  play->world.broken_versions.insert("7.0.15");
  const std::string address = play->read().cluster_nodes("a").front().address();
  play->world.kill_task(address);
  Scheduler scheduler(play->world);
  EXPECT_TRUE(play->run(
      scheduler,
      [&] {
        const State state = play->read();
        return state.cluster("a")->reason.find("failed again") != std::string::npos && state.open_jobs.empty();
      },
      3'600'000));
  EXPECT_EQ(play->read().cluster("a")->state, ClusterState::attention);
  EXPECT_EQ(jobs_of(*play, JobKind::replace), 3U);
  // An operator has seen to the version, and has the node replaced.
  play->world.broken_versions.clear();
  const std::string job = play->begin({.kind = JobKind::replace, .cluster = "a", .nodes = {address}});
  EXPECT_TRUE(play->finish(scheduler, job));
  EXPECT_TRUE(well(*play, scheduler)) << testing::PrintToString(play->faults()) << play->signature();
}

TEST_P(Healing, ATaskThatNobodyNamesIsEnded) {
  auto play = with_cluster(GetParam());
  model::NodeTask stranger = play->world.tasks.begin()->second.task;
  stranger.id = "10.0.0.5:31050-gone-1";
  stranger.host = "10.0.0.5";
  stranger.port = 31050;
  play->world.tasks[stranger.id] = {.task = stranger, .state = engine::TaskState::running};
  Scheduler scheduler(play->world);
  EXPECT_TRUE(well(*play, scheduler, 60'000)) << testing::PrintToString(play->faults());
  EXPECT_EQ(play->world.tasks.at(stranger.id).state, engine::TaskState::stopped);
}

INSTANTIATE_TEST_SUITE_P(Types, Healing, testing::ValuesIn(model::kCacheTypes),
                         [](const auto& param) { return std::string(to_string(param.param)); });

TEST(Jobs, WaitForRoomAndSayWhatIsShort) {
  Play play(1, 2);
  const std::string id = play.create(Play::cluster(CacheType::redis));
  Scheduler scheduler(play.world);
  EXPECT_TRUE(play.run(scheduler, [&] { return play.job(id).state == JobState::waiting; }));
  EXPECT_NE(play.job(id).reason.find("hosts"), std::string::npos) << play.job(id).reason;
  play.world.add_host("10.0.0.3", 64'000);
  EXPECT_TRUE(play.finish(scheduler, id));
  EXPECT_EQ(play.job(id).state, JobState::done);
  EXPECT_EQ(play.faults(), std::vector<std::string>());
}

TEST(Jobs, OfSeveralClustersDoNotTakeEachOthersPlaces) {
  Play play(1, 3);
  std::vector<std::string> ids;
  for (const char* name : {"a", "b", "c"}) {
    model::Cluster cluster = Play::cluster(CacheType::redis_cluster);
    cluster.name = name;
    ids.push_back(play.create(cluster));
  }
  Scheduler scheduler(play.world);
  for (const std::string& id : ids) {
    EXPECT_TRUE(play.finish(scheduler, id));
    EXPECT_EQ(play.job(id).state, JobState::done) << play.job(id).reason;
  }
  EXPECT_EQ(play.faults(), std::vector<std::string>());
  const State state = play.read();
  EXPECT_NE(state.cluster("a")->front_port, state.cluster("b")->front_port);
}

TEST(Jobs, OneAtATimeForACluster) {
  auto play = with_cluster(CacheType::redis);
  play->begin({.kind = JobKind::restart, .cluster = "a"});
  const auto second = submit(play->world.store, {.kind = JobKind::destroy, .cluster = "a"}, "tester", 1);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, Denied::Kind::busy);
}

TEST(Jobs, AreRefusedWithAllProblems) {
  auto play = with_cluster(CacheType::redis);
  auto& store = play->world.store;
  const auto kind = [&](const model::Intent& intent) {
    const auto made = submit(store, intent, "tester", 1);
    EXPECT_FALSE(made.has_value());
    return made ? Denied::Kind::unavailable : made.error().kind;
  };
  EXPECT_EQ(kind({.kind = JobKind::scale, .cluster = "b", .shards = 2}), Denied::Kind::missing);
  EXPECT_EQ(kind({.kind = JobKind::scale, .cluster = "../a", .shards = 2}), Denied::Kind::missing);
  EXPECT_EQ(kind({.kind = JobKind::scale, .cluster = "a", .shards = 3}), Denied::Kind::invalid);
  EXPECT_EQ(kind({.kind = JobKind::scale, .cluster = "a"}), Denied::Kind::invalid);
  EXPECT_EQ(kind({.kind = JobKind::rebalance, .cluster = "a"}), Denied::Kind::invalid);
  EXPECT_EQ(kind({.kind = JobKind::replace, .cluster = "a"}), Denied::Kind::invalid);
  const auto again = submit_create(store, Play::cluster(CacheType::redis), "tester", 1);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().kind, Denied::Kind::taken);
  model::Cluster bad = Play::cluster(CacheType::redis, 0);
  bad.name = "-";
  const auto invalid = submit_create(store, bad, "tester", 1);
  ASSERT_FALSE(invalid.has_value());
  EXPECT_GE(invalid.error().problems.size(), 2U);
}

TEST(Jobs, ArePausedBetweenSteps) {
  auto play = with_cluster(CacheType::redis);
  const std::string id = play->begin({.kind = JobKind::restart, .cluster = "a"});
  Scheduler scheduler(play->world);
  ASSERT_TRUE(play->run(scheduler, [&] { return play->job(id).cursor >= 2; }));
  ASSERT_TRUE(ask_of_job(play->world.store, id, Wish::pause, play->world.at).has_value());
  ASSERT_TRUE(play->run(scheduler, [&] { return play->job(id).state == JobState::paused; }));
  const uint32_t cursor = play->job(id).cursor;
  const Moment until = play->world.at + 60'000;
  play->run(scheduler, [&] { return play->world.at > until; });
  EXPECT_EQ(play->job(id).cursor, cursor);
  ASSERT_TRUE(ask_of_job(play->world.store, id, Wish::resume, play->world.at).has_value());
  EXPECT_TRUE(play->finish(scheduler, id));
  EXPECT_EQ(play->job(id).state, JobState::done);
}

TEST(Jobs, ThatFailCanBeRetried) {
  Play play(1);
  play.world.broken_versions.insert("7.0.15");
  const std::string id = play.create(Play::cluster(CacheType::redis_cluster));
  {
    Scheduler scheduler(play.world);
    ASSERT_TRUE(play.run(scheduler, [&] { return is_over(play.job(id).state); }));
    ASSERT_EQ(play.job(id).state, JobState::failed);
    EXPECT_NE(play.job(id).reason.find("does not start"), std::string::npos) << play.job(id).reason;
    EXPECT_EQ(play.read().cluster("a")->state, ClusterState::attention);
    play.world.broken_versions.clear();
    ASSERT_TRUE(ask_of_job(play.world.store, id, Wish::retry, play.world.at).has_value());
    EXPECT_TRUE(play.finish(scheduler, id));
  }
  EXPECT_EQ(play.job(id).state, JobState::done) << play.job(id).reason;
  EXPECT_EQ(play.faults(), std::vector<std::string>());
}

}  // namespace
}  // namespace overlord::jobs::sim
