#include "engine/mesos/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MesosOptions good() {
  MesosOptions options;
  options.masters = {"127.0.0.1:5050"};
  options.framework.roles = {"sh001"};
  options.executor_url = "http://files:8080/overlord/overlord-executor?v=2";
  options.load_framework_id = [] { return Result<std::string>(); };
  options.store_framework_id = [](const std::string&) { return Result<void>(); };
  return options;
}

TEST(MesosOptions, MastersAreInTheUrl) {
  EXPECT_THAT(*masters_of("mesos://10.0.0.1:5050"), ElementsAre("10.0.0.1:5050"));
  EXPECT_THAT(*masters_of("mesos://10.0.0.1:5050,[::1]:5051/"), ElementsAre("10.0.0.1:5050", "[::1]:5051"));
  for (const char* bad :
       {"", "local", "mesos://", "mesos://,", "mesos://host", "mesos://a:1,,b:2", "mesos://a:99999"}) {
    EXPECT_FALSE(masters_of(bad)) << bad;
  }
  EXPECT_THAT(masters_of("zk://a:2181/mesos").error().message, HasSubstr("zk:// is not supported"));
}

TEST(MesosOptions, WhatIsMissingIsSaid) {
  EXPECT_TRUE(check(good()));
  const auto wrong = [](auto change) {
    MesosOptions options = good();
    change(options);
    const auto checked = check(options);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_THAT(wrong([](auto& o) { o.masters.clear(); }), HasSubstr("no Mesos master"));
  EXPECT_THAT(wrong([](auto& o) { o.framework.roles.clear(); }), HasSubstr("role"));
  EXPECT_THAT(wrong([](auto& o) { o.framework.user.clear(); }), HasSubstr("user"));
  EXPECT_THAT(wrong([](auto& o) { o.secret = "x"; }), HasSubstr("principal"));
  EXPECT_THAT(wrong([](auto& o) { o.load_framework_id = nullptr; }), HasSubstr("id"));
  for (const char* url : {"", "http://files/", "http://files/a b", "http://files/$(x)", "http://files/.."}) {
    EXPECT_THAT(wrong([url](auto& o) { o.executor_url = url; }), HasSubstr("executor_url")) << url;
  }
  EXPECT_EQ(wrong([](auto& o) {
              o.executor_url.clear();
              o.executor_command = "/usr/bin/overlord-executor";
            }),
            "");
}

TEST(MesosOptions, TheCommandRunsTheFileThatWasFetched) {
  MesosOptions options = good();
  EXPECT_EQ(command_of(options), "exec ./overlord-executor");
  options.executor_arguments = "-mesos";
  EXPECT_EQ(command_of(options), "exec ./overlord-executor -mesos");
  options.executor_command = "/opt/x";
  EXPECT_EQ(command_of(options), "/opt/x -mesos");
}

}  // namespace
}  // namespace overlord::engine
