// Every recorded message of a real Mesos can be read, and says what it says; what we send is what was taken.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "mesos/executor_api.h"
#include "mesos/scheduler_calls.h"
#include "mesos/scheduler_events.h"

namespace overlord::mesos {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

std::vector<Json> entries(const std::string& name) {
  std::ifstream file(OVERLORD_SOURCE_DIR "/tests/data/mesos/" + name);
  std::vector<Json> all;
  for (std::string line; std::getline(file, line);) all.push_back(Json::parse(line));
  return all;
}

template <typename Parse>
void each_event(const std::string& file, const Parse& parse) {
  for (const Json& entry : entries(file)) {
    if (entry.value("kind", "") != "event" || !entry["body"].is_object()) continue;
    if (entry["stream"].get<std::string>().find("sub-") == std::string::npos) continue;
    parse(entry["body"]);
  }
}

TEST(Transcript, EveryEventForSchedulersCanBeRead) {
  std::map<std::string, int> kinds;
  each_event("scheduler.jsonl", [&](const Json& body) {
    const auto event = parse_scheduler_event(body.dump());
    ASSERT_TRUE(event) << event.error().message << "\n" << body.dump();
    const std::string type = body["type"];
    EXPECT_FALSE(std::holds_alternative<Other>(*event)) << type;
    ++kinds[type];
    if (const auto* offers = std::get_if<Offers>(&*event)) {
      EXPECT_EQ(offers->offers.size(), body["offers"]["offers"].size());
      for (const Offer& offer : offers->offers) {
        EXPECT_EQ(offer.role, "sh001");
        EXPECT_EQ(offer.address, "127.0.0.1");
        EXPECT_EQ(offer.hostname, "127.0.0.1");
        EXPECT_FALSE(offer.resources.empty());
      }
    } else if (const auto* update = std::get_if<Update>(&*event)) {
      const Json& status = body["update"]["status"];
      EXPECT_EQ(update->status.task_id, status["task_id"]["value"]);
      EXPECT_EQ(to_string(update->status.state), status["state"]);
      EXPECT_EQ(update->status.uuid, status.value("uuid", ""));
    }
  });
  for (const char* type : {"SUBSCRIBED", "OFFERS", "UPDATE", "RESCIND", "FAILURE", "MESSAGE", "ERROR", "HEARTBEAT"}) {
    EXPECT_GT(kinds[type], 0) << type;
  }
}

TEST(Transcript, TheFirstOfferIsUnderstoodWhole) {
  bool seen = false;
  each_event("scheduler.jsonl", [&](const Json& body) {
    if (seen || body["type"] != "OFFERS") return;
    seen = true;
    const auto event = parse_scheduler_event(body.dump());
    const Offer& offer = std::get<Offers>(*event).offers.at(0);
    const std::vector<Resource> expected{{ResourceKind::ports, "*", 0, {{31000, 31999}}},
                                         {ResourceKind::cpus, "*", 4000, {}},
                                         {ResourceKind::memory, "*", 4096, {}}};
    EXPECT_EQ(offer.resources, expected);
    const std::map<std::string, std::string> attributes{{"rack", "r1"}, {"zone", "z1"}, {"cores", "4"}};
    EXPECT_EQ(offer.attributes, attributes);
  });
  EXPECT_TRUE(seen);
}

TEST(Transcript, EveryEventForExecutorsCanBeRead) {
  std::map<std::string, int> kinds;
  each_event("executor.jsonl", [&](const Json& body) {
    const auto event = executor::parse_event(body.dump());
    ASSERT_TRUE(event) << event.error().message << "\n" << body.dump();
    const std::string type = body["type"];
    ++kinds[type];
    EXPECT_FALSE(std::holds_alternative<executor::Other>(*event)) << type;
    if (const auto* launch = std::get_if<executor::Launch>(&*event)) {
      EXPECT_EQ(launch->task_id, body["launch"]["task"]["task_id"]["value"]);
      EXPECT_EQ(Json::parse(launch->task), body["launch"]["task"]);
      EXPECT_EQ(launch->data, from_base64(body["launch"]["task"].value("data", "")));
    } else if (const auto* kill = std::get_if<executor::Kill>(&*event)) {
      EXPECT_EQ(kill->grace.has_value(), body["kill"].contains("kill_policy"));
    }
  });
  for (const char* type : {"SUBSCRIBED", "LAUNCH", "KILL", "ACKNOWLEDGED", "MESSAGE", "SHUTDOWN"}) {
    EXPECT_GT(kinds[type], 0) << type;
  }
}

// The fields of a message that was accepted, with their JSON types, as paths; those of lists as of one.
void shape(const Json& json, const std::string& at, std::map<std::string, std::string>& out) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) shape(value, at + "." + key, out);
  } else if (json.is_array()) {
    for (const Json& item : json) shape(item, at + "[]", out);
  } else {
    out[at] = json.is_number() ? "number" : json.type_name();
  }
}

// All that we say was said by the recorded scheduler too, and was taken.
TEST(Transcript, CallsOfASchedulerHaveTheShapesThatWereTaken) {
  std::map<std::string, std::map<std::string, std::string>> taken;
  std::map<std::string, Json> open;  // by stream
  for (const Json& entry : entries("scheduler.jsonl")) {
    const std::string stream = entry["stream"];
    if (entry["kind"] == "request" && entry["body"].is_object()) open[stream] = entry["body"];
    if (entry["kind"] != "response" || !open.contains(stream)) continue;
    const std::string status = entry.value("status_line", "");
    if (status.find(" 20") == std::string::npos) continue;
    shape(open[stream], "", taken[open[stream].value("type", "")]);
  }
  const std::vector<Resource> resources{
      {ResourceKind::cpus, "*", 100, {}}, {ResourceKind::memory, "*", 64, {}}, {ResourceKind::ports, "*", 0, {{1, 2}}}};
  const std::vector<Resource> scalars(resources.begin(), resources.begin() + 2);
  const TaskToRun task{.id = "t",
                       .name = "n",
                       .agent_id = "a",
                       .cluster = "c",
                       .data = "d",
                       .resources = resources,
                       .executor = {.id = "e", .command = "./x", .url = "http://x", .resources = scalars}};
  const std::vector<std::string> offers{"o"};
  const std::vector<TaskAt> tasks{{"t", "a"}};
  for (const std::string& call :
       {subscribe_call({.roles = {"r"}, .hostname = "h"}), subscribe_call({.id = "f", .roles = {"r"}}),
        accept_call("f", offers, std::span(&task, 1), "r", 1s), decline_call("f", offers, 0ms), suppress_call("f"),
        revive_call("f"), acknowledge_call("f", {.task_id = "t", .agent_id = "a", .uuid = "u"}),
        reconcile_call("f", tasks), reconcile_call("f", {}), kill_call("f", {"t", "a"}, 3s),
        message_call("f", "a", "e", "x")}) {
    const Json json = Json::parse(call);
    const auto& known = taken[json["type"]];
    EXPECT_FALSE(known.empty()) << json["type"];
    std::map<std::string, std::string> ours;
    shape(json, "", ours);
    for (const auto& [path, type] : ours) {
      ASSERT_TRUE(known.contains(path)) << json["type"] << path;
      EXPECT_EQ(known.at(path), type) << json["type"] << path;
    }
  }
}

TEST(Transcript, CallsOfAnExecutorHaveTheShapesThatWereTaken) {
  std::map<std::string, std::map<std::string, std::string>> taken;
  for (const Json& entry : entries("executor.jsonl")) {
    if (entry["kind"] == "request" && entry["body"].is_object()) {
      shape(entry["body"], "", taken[entry["body"].value("type", "")]);
    }
  }
  const executor::Ids ids{"f", "e"};
  const Status status{.task_id = "t",
                      .state = State::running,
                      .message = "m",
                      .source = "SOURCE_EXECUTOR",
                      .executor_id = "e",
                      .uuid = make_uuid(),
                      .timestamp = 1.5,
                      .healthy = true};
  for (const std::string& call : {executor::subscribe_call(ids, {}, std::span(&status, 1)),
                                  executor::update_call(ids, status), executor::message_call(ids, "x")}) {
    const Json json = Json::parse(call);
    std::map<std::string, std::string> ours;
    shape(json, "", ours);
    for (const auto& [path, type] : ours) {
      // Of a resent update the recording had no `healthy`; a sent one had it.
      if (path == ".subscribe.unacknowledged_updates[].status.healthy") continue;
      ASSERT_TRUE(taken[json["type"]].contains(path)) << json["type"] << path;
      EXPECT_EQ(taken[json["type"]].at(path), type);
    }
  }
}

}  // namespace
}  // namespace overlord::mesos
