#include "api/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace overlord::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ApiConfig, ReadsTheFileOfTheGoProgram) {
  const auto reading = read_config(R"(
listen = "0.0.0.0:8880"
etcd = "http://127.0.0.1:2379"
log_vl = 10
log = "info"
debug = true
stdout = true
[monitor]
url = "http://127.0.0.1:1234"
panel = "overlord"
name_var = "cluster"
org_id = 1
[groups]
sh001 = "上海核心"
bj001 = "北京核心"
[[versions]]
cache_type = "redis"
versions = ["4.0.11", "3.2.8"]
image = "docker.io/library/redis"
[[versions]]
cache_type = "memcache"
versions = ["1.5.0"]
[cluster]
dial_timeout = 1000
read_timeout = 1000
write_timeout = 1000
node_connections = 2
ping_fail_limit = 3
ping_auto_eject = true
)",
                                   "apiserver.toml");
  EXPECT_THAT(reading.errors, IsEmpty());
  EXPECT_THAT(reading.warnings, ElementsAre(HasSubstr("versions.image")));
  const Config& config = reading.config;
  EXPECT_EQ(config.listen, "0.0.0.0:8880");
  EXPECT_EQ(config.store, "etcd://127.0.0.1:2379");
  EXPECT_EQ(config.log.verbosity, 10U);
  EXPECT_EQ(config.monitor.url, "http://127.0.0.1:1234");
  ASSERT_EQ(config.groups.size(), 2U);
  EXPECT_EQ(config.groups.back().name_cn, "上海核心");
  ASSERT_EQ(config.versions.size(), 2U);
  EXPECT_THAT(config.versions.front().versions, ElementsAre("4.0.11", "3.2.8"));
  EXPECT_EQ(config.proxy.ping_fail_limit, 3U);
}

TEST(ApiConfig, EtcdOfSeveralMembersAndWithTls) {
  EXPECT_EQ(read_config("etcd = \"http://a:1,http://b:2/\"", "f").config.store, "etcd://a:1,b:2");
  EXPECT_EQ(read_config("etcd = \"https://a:1\"", "f").config.store, "etcds://a:1");
}

TEST(ApiConfig, TellsAllThatIsWrongWithItsPlace) {
  const auto reading = read_config(R"(listn = "x"
workers = 0
store = 5
[groups]
"a/b" = "x"
[[versions]]
cache_type = "mysql"
versions = ["8"]
[cluster]
dial_timeout = "1s"
)",
                                   "f.toml");
  EXPECT_THAT(reading.errors,
              testing::UnorderedElementsAre(HasSubstr("f.toml:1:1: error: listn: unknown key; did you mean listen?"),
                                            HasSubstr("workers: must be a whole number from 1 to 256"),
                                            HasSubstr("store: must be a text"), HasSubstr("store: is required"),
                                            HasSubstr("groups.a/b"), HasSubstr("versions.cache_type"),
                                            HasSubstr("cluster.dial_timeout")));
}

TEST(ApiConfig, SyntaxErrorsHaveTheirPlace) {
  const auto reading = read_config("listen = \n", "f.toml");
  ASSERT_EQ(reading.errors.size(), 1U);
  EXPECT_THAT(reading.errors.front(), testing::StartsWith("f.toml:1:"));
}

TEST(ApiConfig, TheManualHasEveryKey) {
  std::ifstream in(OVERLORD_SOURCE_DIR "/docs/platform-api.md", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  for (const std::string& key : config_keys()) {
    EXPECT_THAT(text.str(), HasSubstr("| `" + key + "` |")) << "docs/platform-api.md lacks the row";
  }
}

TEST(ApiConfig, TheExampleIsGood) {
  const auto reading = read_config_file(OVERLORD_SOURCE_DIR "/etc/apiserver.toml");
  ASSERT_TRUE(reading) << reading.error().message;
  EXPECT_THAT(reading->errors, IsEmpty());
  EXPECT_THAT(reading->warnings, IsEmpty());
}

TEST(ApiFlags, AsGoReadsThem) {
  const char* args[] = {"x", "-conf", "a.toml", "--std", "-log=l", "-log-vl=3", "-debug=false"};
  const auto flags = parse_flags(7, args);
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->conf, "a.toml");
  EXPECT_EQ(flags->log, "l");
  EXPECT_EQ(flags->log_verbosity, 3);
  const char* unknown[] = {"x", "-cnf", "a.toml"};
  EXPECT_FALSE(parse_flags(3, unknown));
  const char* lacking[] = {"x", "-conf"};
  EXPECT_FALSE(parse_flags(2, lacking));
}

}  // namespace
}  // namespace overlord::api
