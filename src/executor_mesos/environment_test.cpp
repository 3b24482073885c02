#include "executor_mesos/environment.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace overlord::executor_mesos {
namespace {

using namespace std::chrono_literals;
using Variables = std::map<std::string, std::string>;

Result<Environment> read(const Variables& variables) {
  return read_environment([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Environment, DurationsAreAsMesosWritesThem) {
  EXPECT_EQ(duration("5secs"), 5s);
  EXPECT_EQ(duration("2mins"), 2min);
  EXPECT_EQ(duration("15mins"), 15min);
  EXPECT_EQ(duration("1.5hrs"), 90min);
  EXPECT_EQ(duration("250ms"), 250ms);
  EXPECT_EQ(duration("1ns"), 1ms) << "rounded up: no wait becomes none";
  EXPECT_EQ(duration("0secs"), 0ms);
  EXPECT_EQ(duration("1weeks"), std::chrono::hours(168));
  EXPECT_GT(duration("99999999999999weeks"), std::chrono::hours(1'000'000));
  for (const char* bad : {"", "5", "secs", "-1secs", "5 secs", "5sec", "nansecs", "infsecs", "1e3secs", "0x5secs"}) {
    EXPECT_FALSE(duration(bad)) << bad;
  }
}

TEST(Environment, OfRealAgentsIsUnderstood) {
  std::ifstream file(OVERLORD_SOURCE_DIR "/tests/data/mesos/executor.jsonl");
  int seen = 0;
  for (std::string line; std::getline(file, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["kind"] != "environment") continue;
    ++seen;
    const auto made = read(entry["body"].get<Variables>());
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->agent, entry["body"]["MESOS_AGENT_ENDPOINT"]);
    const bool own = entry["body"]["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] != "5secs";  // said by its ExecutorInfo
    EXPECT_TRUE(own || made->shutdown_grace == 5s);
    EXPECT_TRUE(!own || made->shutdown_grace == 2s || made->shutdown_grace == 3s);
    EXPECT_EQ(made->checkpoint, entry["body"]["MESOS_CHECKPOINT"] == "1");
    EXPECT_EQ(made->ids.executor, entry["body"]["MESOS_EXECUTOR_ID"]);
    EXPECT_FALSE(made->sandbox.empty());
    EXPECT_FALSE(made->agent_id.empty());
    EXPECT_EQ(made->recovery_timeout, 2min);
    EXPECT_EQ(made->back_off, 2s);
  }
  EXPECT_GT(seen, 3);
}

TEST(Environment, WhatIsMissingIsNamed) {
  Variables good{{"MESOS_FRAMEWORK_ID", "f"}, {"MESOS_EXECUTOR_ID", "e"}, {"MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"}};
  const auto made = read(good);
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->checkpoint);
  EXPECT_EQ(made->shutdown_grace, 5s);
  for (const auto& [name, value] : good) {
    Variables less = good;
    less.erase(name);
    const auto failed = read(less);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find(name), std::string::npos) << failed.error().message;
  }
  good["MESOS_RECOVERY_TIMEOUT"] = "soon";
  EXPECT_NE(read(good).error().message.find("MESOS_RECOVERY_TIMEOUT"), std::string::npos);
}

}  // namespace
}  // namespace overlord::executor_mesos
