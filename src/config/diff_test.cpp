#include "config/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "config/keys.h"

namespace overlord::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Configuration read(const std::string& clusters, const std::string& process = "") {
  auto file = load_cluster_text(clusters, "clusters");
  auto own = load_process_text(process, "process");
  for (const Problem& problem : file.problems) {
    EXPECT_NE(problem.severity, Problem::Severity::error) << format(problem);
  }
  EXPECT_TRUE(file.ok() && own.ok());
  return make_configuration(std::move(*own.value), std::move(*file.value));
}

std::string cluster(const std::string& name, int port, const std::string& servers, const std::string& more = "") {
  return "[[clusters]]\nname = \"" + name + "\"\nlisten_addr = \"127.0.0.1:" + std::to_string(port) +
         "\"\nservers = [" + servers + "]\n" +
         (more.find("cache_type") == std::string::npos ? "cache_type = \"redis\"\n" : "") + more;
}

Diff between(const std::string& before, const std::string& after) { return compare(read(before), read(after)); }

// The difference of one cluster with these servers, and with those.
ClusterDiff servers(const std::string& before, const std::string& after) {
  const Diff diff = between(cluster("a", 1, before), cluster("a", 1, after));
  EXPECT_EQ(diff.clusters.size(), 1U);
  return diff.clusters.empty() ? ClusterDiff{} : diff.clusters[0];
}

TEST(Diff, OfTheSameIsEmpty) {
  const std::string text = cluster("a", 1, "\"h:1:1 x\", \"h:2:1 y\"", "read_timeout = 5\n");
  const Diff diff = between(text, "# moved down a line\n" + text);
  EXPECT_TRUE(diff.empty());
  EXPECT_EQ(summary(diff), "");
  EXPECT_EQ(describe(diff), "");
}

TEST(Diff, ClustersAreKnownByTheirNames) {
  const std::string a = cluster("a", 1, "\"h:1:1\"");
  const std::string b = cluster("b", 2, "\"h:1:1\"");
  EXPECT_EQ(summary(between(a, b + a)), "cluster b: added");
  EXPECT_EQ(summary(between(a + b, b)), "cluster a: removed");
  EXPECT_EQ(summary(between(a + b, b + a)), "");
  const Diff renamed = between(a, cluster("c", 1, "\"h:1:1\""));
  ASSERT_EQ(renamed.clusters.size(), 2U);
  EXPECT_EQ(renamed.clusters[0].kind, ClusterDiff::Kind::added);
  EXPECT_EQ(renamed.clusters[0].before, nullptr);
  EXPECT_EQ(renamed.clusters[1].kind, ClusterDiff::Kind::removed);
  EXPECT_EQ(renamed.clusters[1].after, nullptr);
}

TEST(Diff, AnotherCacheTypeIsAnotherCluster) {
  const Diff diff = between(cluster("a", 1, "\"h:1:1\""), cluster("a", 1, "\"h:1:1\"", "cache_type = \"memcache\"\n"));
  EXPECT_EQ(summary(diff), "cluster a: removed; cluster a: added");
}

TEST(Diff, ServersAreKnownByTheirAddresses) {
  const ClusterDiff added = servers("\"h:1:1\"", "\"h:2:1\", \"h:1:1\"");
  EXPECT_THAT(added.kept, ElementsAre(-1, 0));
  ASSERT_EQ(added.servers.size(), 1U);
  EXPECT_EQ(added.servers[0].kind, ServerChange::Kind::added);
  EXPECT_EQ(added.servers[0].server, "h:2");

  const ClusterDiff removed = servers("\"h:1:1\", \"h:2:1\", \"h:3:1\"", "\"h:3:1\"");
  EXPECT_THAT(removed.kept, ElementsAre(2));
  EXPECT_EQ(removed.servers.size(), 2U);

  const ClusterDiff changed = servers("\"h:1:1 x\", \"h:2:1 y\"", "\"h:1:3 x\", \"h:2:1 z\"");
  EXPECT_THAT(changed.kept, ElementsAre(0, 1));
  ASSERT_EQ(changed.servers.size(), 2U);
  EXPECT_EQ(changed.servers[0].kind, ServerChange::Kind::reweighted);
  EXPECT_EQ(changed.servers[0].before, "1");
  EXPECT_EQ(changed.servers[1].kind, ServerChange::Kind::renamed);
  EXPECT_EQ(changed.servers[1].server, "z (h:2)");
}

TEST(Diff, AnAliasMayMoveToAnotherAddress) {
  const ClusterDiff diff = servers("\"h:1:1 x\", \"h:2:1 y\"", "\"h:9:1 x\", \"h:2:1 y\"");
  EXPECT_THAT(diff.kept, ElementsAre(-1, 1));
  ASSERT_EQ(diff.servers.size(), 1U);
  EXPECT_EQ(diff.servers[0].kind, ServerChange::Kind::moved);
  EXPECT_EQ(diff.servers[0].before, "h:1");
}

TEST(Diff, TheSameAddressTwiceIsTwoServers) {
  // As the Go program's tests had it: each keeps what its alias had.
  const ClusterDiff swapped = servers("\"h:1:1 x\", \"h:1:1 y\"", "\"h:1:1 y\", \"h:1:1 x\"");
  EXPECT_THAT(swapped.kept, ElementsAre(1, 0));
  EXPECT_TRUE(swapped.servers.empty());
  EXPECT_TRUE(swapped.reordered);
  const ClusterDiff fewer = servers("\"h:1:1 x\", \"h:1:1 y\"", "\"h:1:1 z\"");
  EXPECT_THAT(fewer.kept, ElementsAre(0));
}

TEST(Diff, KeysSayWhatTheyWereAndAre) {
  const Diff diff = between(cluster("a", 1, "\"h:1:1\"", "read_timeout = 1000\nredis_auth = \"one\"\n"),
                            cluster("a", 2, "\"h:1:1\"", "read_timeout = 500\nredis_auth = \"two\"\n"));
  ASSERT_EQ(diff.clusters.size(), 1U);
  const ClusterDiff& one = diff.clusters[0];
  EXPECT_TRUE(one.concerns(Concern::listeners));
  EXPECT_TRUE(one.concerns(Concern::connections));
  EXPECT_FALSE(one.concerns(Concern::placement));
  EXPECT_EQ(summary(diff),
            "cluster a: listen_addr [127.0.0.1:1] -> [127.0.0.1:2], redis_auth changed, read_timeout 1000 -> 500");
  EXPECT_THAT(describe(diff), HasSubstr("cluster a: read_timeout 1000 -> 500\n"));
  EXPECT_THAT(describe(diff), Not(HasSubstr("two")));
}

TEST(Diff, OfTheProxyFileSaysWhatNeedsARestart) {
  const std::string clusters = cluster("a", 1, "\"h:1:1\"");
  const Configuration before = read(clusters);
  const Configuration after = read(clusters, "log = \"x\"\n[proxy]\nmax_connections = 7\nworkers = 3\n");
  EXPECT_EQ(summary(compare(before, after)),
            "proxy: log \"\" -> \"x\" (needs a restart), max_connections 0 -> 7, workers 0 -> 3 (needs a restart)");
  const ProcessConfig merged = without_restart(*before.process, *after.process);
  EXPECT_EQ(merged.max_connections, 7U);
  EXPECT_EQ(merged.workers, 0U);
  EXPECT_EQ(merged.log.file, "");
}

// A key that no row compares would change without anybody noticing.
TEST(Diff, LooksAtEveryKey) {
  const auto check = [](std::vector<std::string_view> compared, auto keys) {
    std::set<std::string_view> known;
    for (const auto& key : keys) {
      if (key.info.state != KeyState::old) known.insert(key.info.name);
    }
    EXPECT_EQ(std::set(compared.begin(), compared.end()), known);
  };
  check(compared_cluster_keys(), cluster_keys());
  check(compared_process_keys(), process_keys());
}

TEST(Diff, RowsSayTheSameOfARestartAsTheTable) {
  const std::string clusters = cluster("a", 1, "\"h:1:1\"");
  const Diff diff = compare(read(clusters), read(clusters,
                                                 "stat = \":1\"\nstdout = true\nlog = \"x\"\nlog_vl = 1\nlog_level = "
                                                 "\"warn\"\nlog_format = \"json\"\nlog_max_bytes = 5\n"
                                                 "log_daily = true\nlog_backup_count = 1\n[proxy]\nstop_timeout = 1\n"
                                                 "read_timeout = 1\nwrite_timeout = 1\nmax_connections = 1\n"
                                                 "max_accepts_per_second = 1\nmax_memory = 1\n"
                                                 "use_metrics = false\nworkers = 1\nio = \"epoll\"\n"));
  std::set<std::string_view> live;
  std::set<std::string_view> expected;
  for (const KeyChange& change : diff.process) {
    if (change.concern != Concern::restart) live.insert(change.key);
  }
  for (const auto& key : process_keys()) {
    if (key.info.reloadable && key.info.state != KeyState::old) expected.insert(key.info.name);
  }
  EXPECT_EQ(live, expected);
}

}  // namespace
}  // namespace overlord::config
