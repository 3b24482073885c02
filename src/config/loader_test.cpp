#include "config/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace overlord::config {
namespace {

using hashing::Compat;
using hashing::Distribution;
using hashing::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::filesystem::path kData = std::filesystem::path(OVERLORD_SOURCE_DIR) / "src/config/testdata";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> formatted(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const Problem& problem : problems) all.push_back(format(problem));
  return all;
}

template <typename T>
T good(LoadOutcome<T> outcome) {
  EXPECT_TRUE(outcome.ok()) << testing::PrintToString(formatted(outcome.problems));
  return outcome.value.value_or(T{});
}

ClusterConfig good_cluster(const std::string& extra, const std::string& type = "redis",
                           const std::string& server = "127.0.0.1:6379:1") {
  const std::string text = "[[clusters]]\nname = \"a\"\ncache_type = \"" + type +
                           "\"\nlisten_addr = \"6390\"\nservers = [\"" + server + "\"]\n" + extra;
  ClusterFile file = good(load_cluster_text(text, "f"));
  EXPECT_THAT(file.clusters, SizeIs(1));
  return file.clusters.empty() ? ClusterConfig{} : file.clusters.front();
}

// ---- Annotated files: each problem is expected on its line, and no other problem anywhere.

struct Expected {
  uint32_t line;
  std::string severity;
  std::string text;
};

std::vector<Expected> annotations(const std::string& text) {
  std::vector<Expected> all;
  std::istringstream lines(text);
  uint32_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with('#')) continue;
    for (size_t at = line.find("#! "); at != std::string::npos;) {
      const size_t next = line.find("#! ", at + 3);
      std::string one = line.substr(at + 3, next == std::string::npos ? next : next - at - 3);
      while (one.ends_with(' ')) one.pop_back();
      const size_t colon = one.find(": ");
      all.push_back({number, one.substr(0, colon), one.substr(colon + 2)});
      at = next;
    }
  }
  return all;
}

class Annotated : public testing::TestWithParam<std::string> {};

TEST_P(Annotated, FindsExactlyTheseProblems) {
  const std::string text = read_file(kData / "annotated" / GetParam());
  std::vector<Problem> problems = GetParam().starts_with("proxy") ? load_process_text(text, GetParam()).problems
                                                                  : load_cluster_text(text, GetParam()).problems;
  const std::vector<Expected> expected = annotations(text);
  ASSERT_THAT(expected, testing::Not(IsEmpty()));
  for (const Expected& want : expected) {
    const auto found = std::find_if(problems.begin(), problems.end(), [&](const Problem& problem) {
      const std::string told = format(problem);
      return problem.line == want.line && told.find(": " + want.severity + ": ") != std::string::npos &&
             told.find(want.text) != std::string::npos;
    });
    if (found == problems.end())
      ADD_FAILURE() << "line " << want.line << ": not reported: " << want.severity << ": " << want.text;
    else
      problems.erase(found);
  }
  EXPECT_THAT(formatted(problems), IsEmpty()) << "reported, but not expected";
}

INSTANTIATE_TEST_SUITE_P(Files, Annotated,
                         testing::Values("values.toml", "keys.toml", "missing.toml", "servers.toml", "together.toml",
                                         "one_bracket.toml", "wrong_items.toml", "proxy_values.toml"),
                         [](const auto& file) { return file.param.substr(0, file.param.find('.')); });

// ---- Files of the Go program

TEST(GoFiles, ProxyExampleStartsUnchanged) {
  const auto outcome = load_process_file(kData / "go/proxy-example.toml");
  const ProcessConfig process = good(outcome);
  EXPECT_EQ(process.max_connections, 0U);
  EXPECT_EQ(process.read_timeout.count(), 0);
  EXPECT_TRUE(process.use_metrics);
  EXPECT_THAT(formatted(outcome.problems),
              ElementsAre(HasSubstr(":3:1: warning: pprof: "), HasSubstr(":6:1: warning: log_lv: ")));
}

TEST(GoFiles, ClusterExampleStartsUnchanged) {
  const auto outcome = load_cluster_file(kData / "go/proxy-cluster-example.toml");
  const ClusterFile file = good(outcome);
  ASSERT_THAT(file.clusters, SizeIs(4));
  const ClusterConfig& mc = file.clusters[0];
  EXPECT_EQ(mc.name, "test-mc");
  EXPECT_EQ(mc.cache_type, CacheType::memcache);
  EXPECT_EQ(mc.hash_method, Method::fnv1a_64);
  EXPECT_EQ(mc.hash_tag.trim("a{b}c"), "b");
  EXPECT_THAT(mc.listen, ElementsAre(Address{.host = "0.0.0.0", .port = 21211, .path = {}}));
  EXPECT_TRUE(mc.ping_auto_eject);
  EXPECT_EQ(mc.ping_fail_limit, 3U);
  EXPECT_EQ(mc.slowlog_slower_than.count(), 10);
  ASSERT_THAT(mc.servers, SizeIs(1));
  EXPECT_EQ(mc.servers[0].alias, "mc1");
  EXPECT_EQ(mc.servers[0].ring_name, "mc1");
  EXPECT_EQ(mc.servers[0].weight, 1U);
  EXPECT_EQ(mc.servers[0].address, (Address{.host = "127.0.0.1", .port = 11211, .path = {}}));
  EXPECT_EQ(file.clusters[1].cache_type, CacheType::redis);
  EXPECT_EQ(file.clusters[2].name, "test-redis-cluster");
  EXPECT_THAT(file.clusters[2].servers, SizeIs(2));
  EXPECT_THAT(formatted(outcome.problems), IsEmpty());
}

TEST(GoFiles, TestSetupStartsUnchanged) {
  const auto outcome = load_cluster_file(kData / "go/ci-one-address-two-names.toml");
  const ClusterFile file = good(outcome);
  ASSERT_THAT(file.clusters, SizeIs(2));
  EXPECT_EQ(file.clusters[0].name, "ci-mc");
  EXPECT_EQ(file.clusters[0].ping_fail_limit, 3U);
  EXPECT_EQ(file.clusters[0].servers[1].weight, 2U);
  EXPECT_FALSE(file.clusters[1].hash_tag.on());
  EXPECT_EQ(file.clusters[1].servers[0].ring_name,
            "redis.local:06379");  // as written: it decides where keys lie
  EXPECT_EQ(file.clusters[1].servers[0].address.port, 6379);
  EXPECT_THAT(formatted(outcome.problems),
              ElementsAre(HasSubstr("an old key that has no effect"), HasSubstr("under another name"),
                          HasSubstr("\"long\" is not two bytes")));
}

// ---- Meaning of single keys

TEST(Cluster, DefaultsAreThoseOfTheStruct) {
  const ClusterConfig cluster = good_cluster("");
  const ClusterConfig plain;
  EXPECT_EQ(cluster.dial_timeout, plain.dial_timeout);
  EXPECT_EQ(cluster.node_connections, 2U);
  EXPECT_EQ(cluster.ping_fail_limit, 3U);
  EXPECT_EQ(cluster.ping_interval.count(), 1000);
  EXPECT_EQ(cluster.eject_retry_interval.count(), 3000);
  EXPECT_FALSE(cluster.flush_all_enabled);
  EXPECT_TRUE(cluster.coalesce_gets);
  EXPECT_EQ(cluster.script_cache_size, 4u << 20);
  EXPECT_EQ(cluster.limits.max_node_queue, plain.limits.max_node_queue);
  EXPECT_EQ(cluster.line, 1U);
  EXPECT_EQ(cluster.servers[0].line, 5U);
}

TEST(Cluster, ZeroMeansTheDefaultWhereItAlwaysDid) {
  const ClusterConfig cluster = good_cluster(
      "node_connections = 0\nnode_pipe_count = 0\nping_fail_limit = 0\nhash_method = \"\"\nhash_distribution "
      "= \"\"\n"
      "listen_proto = \"\"\n");
  EXPECT_EQ(cluster.node_connections, 2U);
  EXPECT_EQ(cluster.node_pipe_count, 32U);
  EXPECT_EQ(cluster.ping_fail_limit, 3U);
  EXPECT_EQ(cluster.hash_method, Method::fnv1a_64);
  EXPECT_EQ(cluster.distribution, Distribution::ketama);
}

TEST(Cluster, EveryKeyReachesItsField) {
  const ClusterConfig cluster = good_cluster(R"(
hash_method = "one_at_a_time"
hash_distribution = "modula"
hash_compat = "twemproxy"
hash_tag = "<>"
redis_auth = "backend"
password = "client"
dial_timeout = 11
read_timeout = 12
write_timeout = 13
node_connections = 14
node_pipe_count = 15
ping_auto_eject = true
ping_fail_limit = 16
ping_interval = 17
eject_retry_interval = 18
slowlog_slower_than = 19
flush_all_enabled = true
coalesce_gets = false
read_only = true
deny_commands = ["Keys", "client|kill"]
learn_commands = false
script_cache_size = 1000
max_key_size = 20
max_value_size = 21
max_request_size = 2222
max_arguments = 23
max_pipeline = 24
max_client_buffer = 65537
max_node_queue = 26
)");
  EXPECT_EQ(cluster.hash_method, Method::one_on_time);
  EXPECT_EQ(cluster.distribution, Distribution::modula);
  EXPECT_EQ(cluster.hash_compat, Compat::twemproxy);
  EXPECT_EQ(cluster.hash_tag.trim("a<b>c"), "b");
  EXPECT_EQ(cluster.redis_auth, "backend");
  EXPECT_EQ(cluster.password, "client");
  EXPECT_EQ(cluster.dial_timeout.count(), 11);
  EXPECT_EQ(cluster.read_timeout.count(), 12);
  EXPECT_EQ(cluster.write_timeout.count(), 13);
  EXPECT_EQ(cluster.node_connections, 14U);
  EXPECT_EQ(cluster.node_pipe_count, 15U);
  EXPECT_TRUE(cluster.ping_auto_eject);
  EXPECT_EQ(cluster.ping_fail_limit, 16U);
  EXPECT_EQ(cluster.ping_interval.count(), 17);
  EXPECT_EQ(cluster.eject_retry_interval.count(), 18);
  EXPECT_EQ(cluster.slowlog_slower_than.count(), 19);
  EXPECT_TRUE(cluster.flush_all_enabled);
  EXPECT_FALSE(cluster.coalesce_gets);
  EXPECT_TRUE(cluster.policy.read_only());
  EXPECT_TRUE(cluster.policy.refusal(*redis::find_command("keys")).starts_with("NOPERM"));
  EXPECT_FALSE(cluster.learn_commands);
  EXPECT_EQ(cluster.script_cache_size, 1000u);
  EXPECT_EQ(cluster.limits.max_key_size, 20U);
  EXPECT_EQ(cluster.limits.max_value_size, 21U);
  EXPECT_EQ(cluster.limits.max_request_size, 2222U);
  EXPECT_EQ(cluster.limits.max_arguments, 23U);
  EXPECT_EQ(cluster.limits.max_pipeline, 24U);
  EXPECT_EQ(cluster.limits.max_client_buffer, 65537U);
  EXPECT_EQ(cluster.limits.max_node_queue, 26U);
}

TEST(Cluster, PipeCountGivesTheOldQueueSize) {
  EXPECT_EQ(good_cluster("node_pipe_count = 64\n").limits.max_node_queue, 64U * 64 * 16);
  EXPECT_EQ(good_cluster("node_pipe_count = 1\n").limits.max_node_queue, 1024U);
  EXPECT_EQ(good_cluster("node_pipe_count = 1000000\n").limits.max_node_queue, 1U << 24);
  EXPECT_EQ(good_cluster("node_pipe_count = 64\nmax_node_queue = 7\n").limits.max_node_queue, 7U);
}

TEST(Cluster, HashTagOfOldFiles) {
  struct Case {
    const char* lines;
    const char* hashed;  // of "a{b}c<d>"
  };
  const Case cases[] = {
      {"", "b"},
      {"hash_tag = \"\"", "b"},
      {"hash_tag = \"none\"", "a{b}c<d>"},
      {"hash_tag = \"<>\"", "d"},
      {"hash_tag = \"{\"", "a{b}c<d>"},
      {"hash_compat = \"twemproxy\"", "a{b}c<d>"},
      {"hash_compat = \"twemproxy\"\nhash_tag = \"\"", "a{b}c<d>"},
      {"hash_compat = \"twemproxy\"\nhash_tag = \"none\"", "a{b}c<d>"},
      {"hash_compat = \"twemproxy\"\nhash_tag = \"{}\"", "b"},
  };
  for (const Case& c : cases) EXPECT_EQ(good_cluster(c.lines).hash_tag.trim("a{b}c<d>"), c.hashed) << c.lines;
}

TEST(Cluster, RingNamesFollowTheModeOfPlacement) {
  struct Case {
    const char* server;
    const char* overlord;
    const char* twemproxy;
  };
  const Case cases[] = {
      {"10.0.0.1:11211:1", "10.0.0.1:11211", "10.0.0.1"},
      {"10.0.0.1:6379:1", "10.0.0.1:6379", "10.0.0.1:6379"},
      {"[::1]:6379:5", "[::1]:6379", "[::1]:6379"},
      {"10.0.0.1:11211:1 mc1", "mc1", "mc1"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(good_cluster("", "memcache", c.server).servers[0].ring_name, c.overlord);
    EXPECT_EQ(good_cluster("hash_compat = \"twemproxy\"", "memcache", c.server).servers[0].ring_name, c.twemproxy);
  }
}

TEST(Cluster, SameAddressTwiceOnDifferentPortsAndAddressesIsFine) {
  const auto outcome = load_cluster_text(R"(
[[clusters]]
name = "a"
cache_type = "redis"
listen_addr = ["127.0.0.1:7000", "[::1]:7000", "unix:/tmp/a.sock"]
servers = ["/tmp/redis.sock:1"]
[[clusters]]
name = "7000"
cache_type = "redis"
listen_addr = "127.0.0.2:7000"
servers = ["localhost:6379:1"]
)",
                                         "f");
  const ClusterFile file = good(outcome);
  EXPECT_THAT(formatted(outcome.problems), IsEmpty());
  ASSERT_THAT(file.clusters, SizeIs(2));
  EXPECT_THAT(file.clusters[0].listen, SizeIs(3));
  EXPECT_EQ(to_string(file.clusters[0].listen[1]), "[::1]:7000");
  EXPECT_EQ(to_string(file.clusters[0].listen[2]), "unix:/tmp/a.sock");
  EXPECT_EQ(file.clusters[0].servers[0].address.path, "/tmp/redis.sock");
}

TEST(Cluster, EmptyFileIsAcceptedWithAWarning) {
  for (const char* text : {"", "# nothing\n", "\xEF\xBB\xBF"}) {
    const auto outcome = load_cluster_text(text, "f");
    EXPECT_THAT(good(outcome).clusters, IsEmpty());
    EXPECT_THAT(formatted(outcome.problems), ElementsAre("f: warning: no [[clusters]], so there is nothing to serve"));
  }
}

TEST(Process, EveryKeyReachesItsField) {
  const ProcessConfig process = good(load_process_text(R"(
stat = "127.0.0.1:2110"
log = "/tmp/x.log"
log_vl = 3
debug = true
[proxy]
read_timeout = 60000
write_timeout = 2000
max_connections = 7
use_metrics = false
workers = 5
io = "epoll"
)",
                                                       "f"));
  EXPECT_EQ(process.stat, "127.0.0.1:2110");
  EXPECT_EQ(process.log.file, "/tmp/x.log");
  EXPECT_EQ(process.log.verbosity, 3U);
  EXPECT_TRUE(process.log.to_stdout);
  EXPECT_EQ(process.read_timeout.count(), 60000);
  EXPECT_EQ(process.write_timeout.count(), 2000);
  EXPECT_EQ(process.max_connections, 7U);
  EXPECT_FALSE(process.use_metrics);
  EXPECT_EQ(resolved_workers(process), 5U);
  EXPECT_EQ(process.io, IoDriver::epoll);
}

TEST(Process, EmptyFileIsTheDefaults) {
  const ProcessConfig process = good(load_process_text("", "f"));
  EXPECT_GE(resolved_workers(process), 1U);
  EXPECT_EQ(process.io, IoDriver::automatic);
  EXPECT_TRUE(process.use_metrics);
}

// In files of the Go program memcache_binary meant both sides.
TEST(Clusters, BackendProtocolFollowsTheTypeUnlessItIsGiven) {
  const auto protocol = [](const std::string& type, const std::string& more) {
    const auto outcome =
        load_cluster_text("[[clusters]]\nname = \"c\"\ncache_type = \"" + type +
                              "\"\nlisten_addr = \"127.0.0.1:1\"\nservers = [\"127.0.0.1:2:1\"]\n" + more,
                          "f");
    return good(outcome).clusters.at(0).backend_protocol;
  };
  EXPECT_EQ(protocol("memcache", ""), BackendProtocol::text);
  EXPECT_EQ(protocol("memcache", "backend_protocol = \"binary\"\n"), BackendProtocol::binary);
  EXPECT_EQ(protocol("memcache_binary", ""), BackendProtocol::binary);
  EXPECT_EQ(protocol("memcache_binary", "backend_protocol = \"text\"\n"), BackendProtocol::text);
  const auto bad = load_cluster_text("[[clusters]]\nbackend_protocol = \"meta\"\n", "f");
  EXPECT_THAT(formatted(bad.problems), Contains(HasSubstr("unknown protocol \"meta\"; use text or binary")));
}

TEST(Files, SyntaxErrorsHaveALine) {
  const auto outcome = load_cluster_file(kData / "annotated/syntax.toml");
  EXPECT_FALSE(outcome.ok());
  ASSERT_THAT(outcome.problems, SizeIs(1));
  EXPECT_EQ(outcome.problems[0].line, 2U);
  EXPECT_THAT(format(outcome.problems[0]), HasSubstr("syntax.toml:2:"));
  EXPECT_THAT(format(outcome.problems[0]), HasSubstr("error: TOML syntax: "));
}

TEST(Files, UnreadableFilesSayWhy) {
  EXPECT_THAT(formatted(load_cluster_file("/nowhere/x.toml").problems),
              ElementsAre("/nowhere/x.toml: error: cannot be read: No such file or directory"));
  EXPECT_THAT(formatted(load_process_file("/").problems), ElementsAre("/: error: cannot be read: Is a directory"));
}

TEST(Files, HostileTextIsAnErrorAndNothingWorse) {
  std::string deep(100000, '[');
  std::string zero("name = \"a\0b\"", 12);
  for (const std::string& text : {deep, "x = " + deep, zero, std::string("\xff\xfe\x00", 3), std::string("a=\n")}) {
    EXPECT_FALSE(load_cluster_text(text, "f").ok());
    EXPECT_FALSE(load_process_text(text, "f").ok());
  }
}

TEST(Files, AProblemIsOneLineWhateverTheFileHolds) {
  const auto outcome = load_cluster_text("\"a\\nb: error: c\" = 1\n", "f");
  EXPECT_THAT(formatted(outcome.problems), ElementsAre(HasSubstr("f:1:1: error: a\\x0ab: error: c: unknown key")));
}

TEST(Files, ShippedFilesHaveNoProblem) {
  const std::filesystem::path etc = std::filesystem::path(OVERLORD_SOURCE_DIR) / "etc";
  const auto clusters = load_cluster_file(etc / "proxy-cluster.toml");
  EXPECT_THAT(formatted(clusters.problems), IsEmpty());
  EXPECT_THAT(good(clusters).clusters, SizeIs(2));
  const auto process = load_process_file(etc / "proxy.toml");
  EXPECT_THAT(formatted(process.problems), IsEmpty());
  EXPECT_TRUE(process.ok());
}

}  // namespace
}  // namespace overlord::config
