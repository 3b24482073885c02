// Events that are not as they should be, and details that recordings do not show.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "mesos/event_stream.h"
#include "mesos/executor_api.h"
#include "mesos/scheduler_calls.h"
#include "mesos/scheduler_events.h"

namespace overlord::mesos {
namespace {

using namespace std::chrono_literals;

TEST(SchedulerEvents, WhatCannotBeReadIsAnError) {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "1",
                           "{}",
                           R"({"type":5})",
                           R"({"type":"UPDATE"})",
                           R"({"type":"UPDATE","update":{}})",
                           R"({"type":"UPDATE","update":{"status":{"task_id":{"value":"t"}}}})",
                           R"({"type":"UPDATE","update":{"status":{"task_id":{"value":"t"},"state":"TASK_SLEEPING"}}})",
                           R"({"type":"UPDATE","update":{"status":{"task_id":{"value":""},"state":"TASK_RUNNING"}}})",
                           R"({"type":"UPDATE","update":{"status":{"task_id":"t","state":"TASK_RUNNING"}}})",
                           R"({"type":"SUBSCRIBED","subscribed":{}})",
                           R"({"type":"SUBSCRIBED","subscribed":[]})",
                           R"({"type":"OFFERS","offers":{"offers":{}}})",
                           R"({"type":"OFFERS","offers":{"offers":[{}]}})",
                           R"({"type":"OFFERS","offers":{"offers":[{"id":{"value":"o"},"agent_id":{"value":"a"},
            "resources":[{"name":"mem","scalar":{"value":-1}}]}]}})",
                           R"({"type":"OFFERS","offers":{"offers":[{"id":{"value":"o"},"agent_id":{"value":"a"},
            "resources":[{"name":"ports","ranges":{"range":[{"begin":5,"end":4}]}}]}]}})",
                           R"({"type":"MESSAGE","message":{"data":"###"}})",
                           R"({"type":"RESCIND","rescind":{"offer_id":{"value":1}}})"}) {
    EXPECT_FALSE(parse_scheduler_event(text)) << text;
  }
}

TEST(SchedulerEvents, UnknownTypesAndFieldsArePassedOver) {
  const auto event = parse_scheduler_event(R"({"type":"INVERSE_OFFERS","inverse_offers":{},"x":1})");
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Other>(*event).type, "INVERSE_OFFERS");
}

TEST(SchedulerEvents, ResourcesThatAreNotForUsArePassedOver) {
  const auto event = parse_scheduler_event(R"({"type":"OFFERS","offers":{"offers":[{"id":{"value":"o"},
      "agent_id":{"value":"a"},"resources":[
        {"name":"cpus","scalar":{"value":0.7},"role":"sh001"},
        {"name":"cpus","scalar":{"value":1},"revocable":{}},
        {"name":"mem","scalar":{"value":100},"reservation":{"principal":"p"}},
        {"name":"mem","scalar":{"value":99.999},"reservations":[]},
        {"name":"gpus","scalar":{"value":4}},
        {"name":"ports","ranges":{"range":[{"begin":65000,"end":70000},{"begin":70000,"end":70001}]}}]}]}})");
  ASSERT_TRUE(event) << event.error().message;
  const std::vector<Resource> expected{{ResourceKind::cpus, "sh001", 700, {}},
                                       {ResourceKind::memory, "*", 99, {}},
                                       {ResourceKind::ports, "*", 0, {{65000, 65535}}}};
  EXPECT_EQ(std::get<Offers>(*event).offers.at(0).resources, expected);
}

TEST(SchedulerCalls, ReservedResourcesNameTheirRole) {
  const TaskToRun task{.id = "t", .resources = {{ResourceKind::cpus, "sh001", 250, {}}}};
  const std::vector<std::string> offers{"o"};
  const std::string call = accept_call("f", offers, std::span(&task, 1), "sh001", 0ms);
  EXPECT_NE(call.find(R"({"allocation_info":{"role":"sh001"},"name":"cpus","role":"sh001","scalar":{"value":0.25},)"
                      R"("type":"SCALAR"})"),
            std::string::npos)
      << call;
}

TEST(SchedulerCalls, ResubscribingNamesTheFrameworkTwice) {
  const std::string call = subscribe_call({.id = "f-1", .name = "\xff", .roles = {"a"}, .principal = "p"});
  EXPECT_NE(call.find(R"("framework_id":{"value":"f-1"})"), std::string::npos) << call;
  EXPECT_NE(call.find(R"("id":{"value":"f-1"})"), std::string::npos) << call;
  EXPECT_NE(call.find(R"("principal":"p")"), std::string::npos) << call;
}

TEST(ExecutorEvents, WhatCannotBeReadIsAnError) {
  for (const char* text : {"", "{}", R"({"type":"LAUNCH"})", R"({"type":"LAUNCH","launch":{"task":{}}})",
                           R"({"type":"LAUNCH","launch":{"task":{"task_id":{"value":"t"},"data":"*"}}})",
                           R"({"type":"KILL","kill":{}})", R"({"type":"KILL","kill":{"task_id":7}})"}) {
    EXPECT_FALSE(executor::parse_event(text)) << text;
  }
  const auto kill = executor::parse_event(
      R"({"type":"KILL","kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":3000000000}}}})");
  ASSERT_TRUE(kill);
  EXPECT_EQ(std::get<executor::Kill>(*kill).grace, 3s);
  EXPECT_TRUE(std::holds_alternative<executor::Other>(*executor::parse_event(R"({"type":"LAUNCH_GROUP"})")));
}

TEST(Uuid, IsSixteenBytesAndNeverTheSame) {
  const auto one = from_base64(make_uuid());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size(), 16U);
  EXPECT_NE(make_uuid(), make_uuid());
}

TEST(States, HaveTheirNames) {
  for (int i = 0; i <= static_cast<int>(State::unknown); ++i) {
    EXPECT_EQ(state(to_string(static_cast<State>(i))), static_cast<State>(i));
  }
  EXPECT_FALSE(state("TASK_"));
}

TEST(Location, LeadsToAServerOrNowhere) {
  EXPECT_EQ(server_of_location("//127.0.0.1:5150/master/api/v1/scheduler", "http://a:1"), "http://127.0.0.1:5150");
  EXPECT_EQ(server_of_location("//h:5150", "https://a:1"), "https://h:5150");
  EXPECT_EQ(server_of_location("https://[::1]:5050/x", "a:1"), "https://[::1]:5050");
  for (const char* bad : {"", "/", "//", "///x", "/x", "ftp://x/", "//us er/", "//a@b/", "http:/x"}) {
    EXPECT_EQ(server_of_location(bad, "a:1"), "") << bad;
  }
}

}  // namespace
}  // namespace overlord::mesos
