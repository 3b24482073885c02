#include "config/nutcracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/loader.h"

namespace overlord::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::string kData = std::string(OVERLORD_SOURCE_DIR) + "/src/config/testdata/nutcracker/";

std::vector<std::string> formatted(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const Problem& problem : problems) all.push_back(format(problem).substr(problem.file.size()));
  return all;
}

TEST(Nutcracker, WhatIsPrintedLoadsAndMeansTheSame) {
  const ConvertOutcome converted = convert_nutcracker_file(kData + "mixed.yml");
  EXPECT_THAT(
      formatted(converted.problems),
      ElementsAre(HasSubstr(":19:11: warning: beta.listen: no equivalent for the access mode \"0666\""),
                  HasSubstr(":25:23: warning: beta.client_connections: no limit per cluster"),
                  HasSubstr(":36:13: warning: gamma.redis_db: no equivalent, database 0 is used instead of 3")));
  const auto loaded = load_cluster_text(converted.toml, "converted");
  ASSERT_TRUE(loaded.ok()) << testing::PrintToString(formatted(loaded.problems)) << converted.toml;
  EXPECT_THAT(formatted(loaded.problems), IsEmpty());
  ASSERT_THAT(loaded.value->clusters, SizeIs(4));

  const ClusterConfig& alpha = loaded.value->clusters[0];
  EXPECT_EQ(alpha.name, "alpha");
  EXPECT_EQ(alpha.cache_type, CacheType::redis);
  EXPECT_EQ(alpha.hash_compat, hashing::Compat::twemproxy);
  EXPECT_EQ(alpha.hash_tag.trim("a{b}"), "b");
  EXPECT_EQ(alpha.redis_auth, "pa\"ss\\word");
  EXPECT_EQ(alpha.password, alpha.redis_auth);
  EXPECT_EQ(alpha.dial_timeout.count(), 400);
  EXPECT_EQ(alpha.read_timeout.count(), 400);
  EXPECT_EQ(alpha.write_timeout.count(), 400);
  EXPECT_EQ(alpha.node_connections, 3U);
  EXPECT_TRUE(alpha.ping_auto_eject);
  EXPECT_EQ(alpha.ping_fail_limit, 1U);
  EXPECT_EQ(alpha.eject_retry_interval.count(), 2000);
  EXPECT_EQ(alpha.servers[1].alias, "two");
  EXPECT_EQ(alpha.servers[1].weight, 2U);

  const ClusterConfig& beta = loaded.value->clusters[1];
  EXPECT_EQ(beta.cache_type, CacheType::memcache);
  EXPECT_EQ(to_string(beta.listen[0]), "unix:/tmp/beta.sock");
  EXPECT_EQ(beta.hash_method, hashing::Method::one_on_time);
  EXPECT_EQ(beta.distribution, hashing::Distribution::modula);
  EXPECT_FALSE(beta.hash_tag.on());
  EXPECT_EQ(beta.read_timeout.count(), 0);
  EXPECT_EQ(beta.node_connections, 1U);
  EXPECT_FALSE(beta.ping_auto_eject);
  // Only one server has a name there; the others keep the name they have on twemproxy's ring.
  EXPECT_EQ(beta.servers[0].ring_name, "127.0.0.1");
  EXPECT_EQ(beta.servers[1].ring_name, "named");
  EXPECT_EQ(to_string(beta.servers[2].address), "unix:/tmp/mc.sock");

  const ClusterConfig& gamma = loaded.value->clusters[2];
  EXPECT_EQ(to_string(gamma.listen[0]), "[::1]:22123");
  EXPECT_EQ(to_string(gamma.servers[0].address), "[::1]:6379");
  EXPECT_EQ(gamma.servers[0].ring_name, "::1:6379");  // twemproxy knows no brackets
  EXPECT_EQ(gamma.servers[1].ring_name, "10.0.0.1");
  EXPECT_EQ(loaded.value->clusters[2].hash_method, hashing::Method::jenkins);
  EXPECT_EQ(loaded.value->clusters[3].hash_method, hashing::Method::fnv1a_64);
  EXPECT_EQ(loaded.value->clusters[3].servers[0].ring_name, "10.0.0.1");
}

TEST(Nutcracker, WhatHasNoEquivalentIsSaidInTheText) {
  const std::string toml = convert_nutcracker_file(kData + "mixed.yml").toml;
  for (const char* comment : {"# redis_db: no equivalent", "# client_connections: no limit",
                              "# backlog: ", "# tcpkeepalive: ", "# preconnect: ", "# listen: the access mode"})
    EXPECT_THAT(toml, HasSubstr(comment));
}

TEST(Nutcracker, EveryMistakeIsReportedWithItsLine) {
  const ConvertOutcome converted = convert_nutcracker_file(kData + "broken.yml");
  EXPECT_FALSE(converted.ok());
  EXPECT_THAT(converted.toml, IsEmpty());
  EXPECT_THAT(
      formatted(converted.problems),
      ElementsAre(HasSubstr(":2:11: error: alpha.listen: \"127.0.0.1\": the :port is missing"),
                  HasSubstr(":3:9: error: alpha.hash: unknown hash \"sha1\"; use one of fnv1a_64"),
                  HasSubstr(":4:13: error: alpha.hash_tag: \"{\" is not two bytes"),
                  HasSubstr(":5:17: error: alpha.distribution: unknown distribution \"rendezvous\""),
                  HasSubstr(":6:12: error: alpha.timeout: \"soon\" is not a number from 0 to"),
                  HasSubstr(":7:10: error: alpha.redis: \"maybe\" is neither true nor false"),
                  HasSubstr(":8:3: error: alpha.server_conections: unknown key; did you mean server_connections?"),
                  HasSubstr(":9:23: error: alpha.server_connections: \"0\" is not a number from 1 to 1024"),
                  HasSubstr(":10:12: error: alpha.backlog: expected a single value"),
                  HasSubstr(":11:3: error: alpha.redis: the same key twice"),
                  HasSubstr(":13:6: error: alpha.servers: \"127.0.0.1:6379\": the weight is missing"),
                  HasSubstr(":14:6: error: alpha.servers: expected a single value"),
                  HasSubstr(":17:3: error: beta.servers: expected a list of servers"),
                  HasSubstr(":18:1: error: gamma.servers: missing"),
                  HasSubstr(":20:1: error: delta: expected a pool's settings")));
}

TEST(Nutcracker, TextThatIsNoPoolFileIsAnError) {
  for (const char* text : {"", "a", "- a", "a: [", "a: {b: c", "\t", "a: b: c", "? [x]\n: y", "a:\n b: \"\xff\"\n"}) {
    const ConvertOutcome converted = convert_nutcracker_text(text, "f");
    EXPECT_FALSE(converted.ok()) << text;
    EXPECT_THAT(converted.problems, Not(IsEmpty()));
  }
  EXPECT_THAT(formatted(convert_nutcracker_text("a:\n  listen: [", "f").problems),
              ElementsAre(HasSubstr(": error: YAML: ")));
  EXPECT_THAT(formatted(convert_nutcracker_file("/nowhere").problems), ElementsAre(HasSubstr("No such file")));
}

// twemproxy takes what the two pools share (port, name) as a mistake too.
TEST(Nutcracker, ResultThatWouldNotStartIsAnError) {
  const char* text =
      "a: {listen: '127.0.0.1:1', servers: ['h:1:1']}\n"
      "b: {listen: '127.0.0.1:1', servers: ['h:1:1', 'h:1:2']}\n";
  EXPECT_THAT(formatted(convert_nutcracker_text(text, "f").problems),
              ElementsAre(HasSubstr("the result would not start: 127.0.0.1:1 is also the address of a"),
                          HasSubstr("the result would not start: the server \"h:1\" stands already")));
}

}  // namespace
}  // namespace overlord::config
