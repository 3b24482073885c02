#include "scheduler/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::scheduler {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

// As the Go program ships it.
TEST(Config, TakesAFileOfTheGoProgram) {
  const auto read = config_of(R"(
user = "root"
name = "overlord"
checkpoint = true
master = "172.22.33.167:5050"
executor_url = "http://172.22.33.198:20001/executor"
db_type = "etcd"
db_end_point = "http://172.22.33.198:2379"
fail_over = "72h"
role = ["sh001"]
hostname = "host-1"
principal = "overlord"
)",
                              "scheduler.toml");
  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(read.config.store, "etcd://172.22.33.198:2379");
  EXPECT_EQ(read.config.engine, "mesos://172.22.33.167:5050");
  EXPECT_EQ(read.config.fail_over, std::chrono::hours(72));
  EXPECT_THAT(read.config.roles, testing::ElementsAre("sh001"));
}

TEST(Config, HasHostsOfOneMachine) {
  const auto read = config_of(R"(
store = "sqlite:///tmp/state.db"
folder = "/tmp/overlord"
[[hosts]]
address = "127.0.0.1"
group = "local"
spec = "4c8g"
ports = ["31000-31099", "32000"]
labels = { zone = "a" }
[[hosts]]
address = "127.0.0.2"
group = "local"
spec = "4c8g"
)",
                              "scheduler.toml");
  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(read.config.engine, "local");
  ASSERT_EQ(read.config.hosts.size(), 2U);
  EXPECT_EQ(read.config.hosts[0].capacity, (model::Spec{4000, 8192}));
  ASSERT_EQ(read.config.hosts[0].ports.size(), 2U);
  EXPECT_EQ(read.config.hosts[0].ports[1].last, 32000);
  EXPECT_EQ(read.config.hosts[1].ports.at(0).first, 31000);
}

TEST(Config, TellsAllThatIsWrong) {
  const auto read = config_of(R"(
db_end_point = "http://a:1"
store = "sqlite:///x"
fail_over = "soon"
lease = "10ms"
log_level = "loud"
unkown = 1
[[hosts]]
address = "127.0.0.1"
spec = "big"
ports = "31000-30000"
[[hosts]]
address = "127.0.0.1"
group = "g"
spec = "1c1g"
)",
                              "s.toml");
  EXPECT_THAT(read.errors, Contains(HasSubstr("db_end_point: stands in place of store")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("fail_over: a time is as in 72h")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("lease: must be at least 1000ms")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("log_level: must be debug")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("unkown: unknown key")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("hosts.group: is required")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("hosts.spec: is required")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("hosts.ports: a range is as in")));
  EXPECT_THAT(read.errors, Contains(HasSubstr("127.0.0.1 is there twice")));
  EXPECT_THAT(config_of("store = 'x'\nmaster = 'zk://a'\n", "s.toml").errors, Contains(HasSubstr("master: ")));
  EXPECT_THAT(config_of("", "s.toml").errors, Contains(HasSubstr("store: is required")));
}

}  // namespace
}  // namespace overlord::scheduler
