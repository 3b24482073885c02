#include "cli/request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace overlord::cli {
namespace {

const Command& command(std::string_view noun, std::string_view verb) {
  const auto all = commands();
  const auto found =
      std::ranges::find_if(all, [&](const Command& each) { return each.noun == noun && each.verb == verb; });
  EXPECT_NE(found, all.end()) << noun << " " << verb;
  return *found;
}

std::string text(std::string_view noun, std::string_view verb, const Values& values) {
  const auto request = request_of(command(noun, verb), values);
  if (!request) return request.error().message;
  return request->method + " " + request->target + (request->body.empty() ? "" : " " + request->body);
}

TEST(Request, HasAllThatWasTyped) {
  EXPECT_EQ(
      text("cluster", "create",
           {{"name", {"rc"}},
            {"cache_type", {"redis_cluster"}},
            {"version", {"7.0.15"}},
            {"group", {"g"}},
            {"spec", {"1c2g"}},
            {"number", {"6"}},
            {"settings", {"maxmemory-policy=allkeys-lru", "save=a=b"}},
            {"appids", {"a.b", "c.d"}},
            {"fault_tolerant", {"false"}},
            {"dry_run", {"true"}}}),
      R"(POST /api/v1/clusters?dry_run=1 {"name":"rc","cache_type":"redis_cluster","version":"7.0.15","group":"g",)"
      R"("spec":"1c2g","number":6,"appids":["a.b","c.d"],)"
      R"("settings":{"maxmemory-policy":"allkeys-lru","save":"a=b"},"fault_tolerant":false})");
  EXPECT_EQ(text("cluster", "list", {{"name", {"a b"}}, {"pc", {"10"}}}), "GET /api/v1/clusters?name=a%20b&pc=10");
  EXPECT_EQ(text("node", "weight", {{"name", {"rd"}}, {"addr", {"[::1]:6379"}}, {"weight", {"3"}}}),
            R"(PATCH /api/v1/clusters/rd/instances/%5B%3A%3A1%5D%3A6379 {"weight":3})");
  EXPECT_EQ(
      text("cluster", "change", {{"name", {"rd"}}, {"proxy.dial_timeout", {"5"}}, {"proxy.ping_auto_eject", {"true"}}}),
      R"(PATCH /api/v1/clusters/rd {"proxy":{"dial_timeout":5,"ping_auto_eject":true}})");
  EXPECT_EQ(text("cluster", "rebalance", {{"name", {"rc"}}}), "POST /api/v1/clusters/rc/rebalance");
  EXPECT_EQ(text("cluster", "unbind", {{"name", {"rc"}}, {"appid", {"a.b"}}}),
            R"(DELETE /api/v1/clusters/rc/appid {"appid":"a.b"})");
  EXPECT_EQ(text("node", "command", {{"ip", {"h"}}, {"port", {"1"}}, {"words", {"GET", "a b"}}}),
            R"(POST /api/v1/commands/h/1 {"words":["GET","a b"]})");
  EXPECT_EQ(text("job", "list", {{"over", {"false"}}}), "GET /api/v1/jobs?over=0");
}

TEST(Request, KeepsNamesInTheirPlace) {
  EXPECT_EQ(text("cluster", "show", {{"name", {"../jobs?x=1"}}}), "GET /api/v1/clusters/..%2Fjobs%3Fx%3D1");
}

TEST(Request, SaysWhatIsWrong) {
  EXPECT_EQ(text("cluster", "scale", {{"name", {"rc"}}}), "--number is missing: nodes, or masters, that it is to have");
  EXPECT_EQ(text("cluster", "scale", {{"name", {"rc"}}, {"number", {"six"}}}), "--number six: expected a whole number");
  EXPECT_EQ(text("cluster", "configure", {{"name", {"rc"}}, {"settings", {"=x"}}}), "--set =x: expected NAME=VALUE");
  EXPECT_EQ(text("job", "list", {{"over", {"1"}}}), "--over 1: expected true or false");
}

TEST(Commands, AreWhole) {
  std::set<std::string> names;
  for (const Command& each : commands()) {
    const std::string name = std::string(each.noun) + " " + std::string(each.verb);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(noun_help(each.noun).empty()) << each.noun;
    EXPECT_EQ(each.answer == Answer::rows, !each.columns.empty() && each.rows_field.empty()) << name;
    size_t parts = 0;
    for (const Field& field : each.arguments) parts += each.path.contains("{" + std::string(field.field) + "}") ? 1 : 0;
    EXPECT_EQ(parts, std::ranges::count(each.path, '{')) << name;
    for (const Field& flag : each.flags) EXPECT_TRUE(flag.name.starts_with("--")) << name;
  }
}

TEST(Commands, AreInTheManual) {
  std::ifstream in(OVERLORD_SOURCE_DIR "/docs/platform-cli.md");
  const std::string manual(std::istreambuf_iterator<char>(in), {});
  size_t rows = 0;
  for (const Command& each : commands()) {
    std::string row = "| `" + std::string(each.noun) + " " + std::string(each.verb);
    for (const Field& field : each.arguments) row += " " + std::string(field.name);
    row += "` | " + std::string(each.what) + " | ";
    for (const Field& flag : each.flags) row += "`" + std::string(flag.name) + "` ";
    row += "|";
    EXPECT_NE(manual.find(row), std::string::npos) << row;
    ++rows;
  }
  const size_t begin = manual.find("## Commands");
  ASSERT_NE(begin, std::string::npos);
  EXPECT_EQ(rows + 2, std::ranges::count(manual.substr(begin), '\n') - 2);
}

}  // namespace
}  // namespace overlord::cli
