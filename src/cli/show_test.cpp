#include "cli/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/completion.h"

namespace overlord::cli {
namespace {

using testing::HasSubstr;

const Command& command(std::string_view noun, std::string_view verb) {
  return *std::ranges::find_if(commands(), [&](const Command& each) { return each.noun == noun && each.verb == verb; });
}

TEST(Show, MakesTablesOfLists) {
  const auto table = text_of(command("job", "list"),
                             R"({"count":1,"items":[{"id":"g.1","kind":"scale","cluster":"rc","state":"running",)"
                             R"("progress":40,"user":"joe","created":"","reason":"no \u001b[31m room"}]})");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_THAT(*table, HasSubstr("ID   KIND   CLUSTER  STATE     %  USER"));
  EXPECT_THAT(*table, HasSubstr("g.1  scale  rc       running  40  joe"));
  EXPECT_EQ(table->find('\x1b'), std::string::npos);
  const auto lines = text_of(command("spec", "list"), R"({"count":2,"items":["1c2g","2c4g"]})");
  ASSERT_TRUE(lines);
  EXPECT_EQ(*lines, "1c2g\n2c4g\n");
}

TEST(Show, MakesASheetOfOne) {
  const auto sheet = text_of(command("cluster", "show"),
                             R"({"name":"rc","reason":"","appids":["a.b","c.d"],"settings":{"save":""},)"
                             R"("instances":[{"ip":"10.0.0.1","port":31000,"role":"master","state":"running"}]})");
  ASSERT_TRUE(sheet) << sheet.error().message;
  EXPECT_THAT(*sheet, HasSubstr("name       rc\n"));
  EXPECT_THAT(*sheet, HasSubstr("appids     a.b,c.d\n"));
  EXPECT_THAT(*sheet, HasSubstr("settings   save=\n"));
  EXPECT_THAT(*sheet, testing::Not(HasSubstr("reason ")));
  EXPECT_THAT(*sheet, HasSubstr("10.0.0.1  31000  master"));
}

TEST(Show, TakesNothingForAnAnswerThatIsNone) {
  EXPECT_FALSE(text_of(command("job", "list"), "<html>"));
  EXPECT_FALSE(text_of(command("job", "list"), R"({"items":7})"));
  EXPECT_FALSE(text_of(command("job", "list"), "[]"));
  EXPECT_FALSE(text_of(command("cluster", "show"), "[1]"));
  EXPECT_FALSE(progress_of("{}"));
  EXPECT_EQ(job_of("[]"), "");
}

TEST(Show, SaysAllThatTheServerRefused) {
  EXPECT_EQ(refusal_of(400, R"({"error":{"code":"invalid","message":"2 fields are wrong","request_id":"r1","fields":)"
                            R"([{"field":"spec","message":"no"},{"field":"name","message":"taken"}]}})"),
            "2 fields are wrong\n  spec: no\n  name: taken\n  (invalid, request r1)");
  EXPECT_EQ(refusal_of(502, "<html>bad"), "the server answered 502: <html>bad");
}

TEST(Show, TellsWhatIsNewOfAJob) {
  const auto at = [](std::string_view body) { return progress_of(body).value_or(Progress{}); };
  const Progress one = at(R"({"id":"g.1","state":"running","progress":0,"steps":[{"what":"start a","state":"running"},)"
                          R"({"what":"start b","state":"pending"}]})");
  EXPECT_EQ(news({}, one), "  0 %  running start a\n       running\n");
  EXPECT_EQ(news(one, one), "");
  const Progress two =
      at(R"({"id":"g.1","state":"waiting","reason":"no room","progress":50,"steps":)"
         R"([{"what":"start a","state":"done","note":"again"},{"what":"start b","state":"pending"}]})");
  EXPECT_EQ(news(one, two), " 50 %  done    start a (again)\n       waiting: no room\n");
  EXPECT_FALSE(two.over());
}

TEST(EventLines, AreWholeHoweverTheyCome) {
  const std::string_view stream =
      ": hello\n\nid: 7\nevent: job\ndata: {\"a\":1}\n\ndata: x\r\ndata: y\r\n\r\nid: 9\nevent: end\n";
  for (size_t piece = 1; piece < stream.size(); ++piece) {
    EventLines lines;
    std::string out;
    for (size_t at = 0; at < stream.size(); at += piece) out += lines.take(stream.substr(at, piece));
    EXPECT_EQ(out, "7 job {\"a\":1}\n7 xy\n") << piece;
  }
}

TEST(Completion, KnowsEveryCommand) {
  const std::string script = completion_of("bash");
  for (const Command& each : commands()) {
    EXPECT_THAT(script, HasSubstr(std::string(each.noun) + "." + std::string(each.verb) + ")"));
    for (const Field& flag : each.flags) EXPECT_THAT(script, HasSubstr(std::string(flag.name)));
  }
  EXPECT_THAT(completion_of("zsh"), HasSubstr("bashcompinit"));
  EXPECT_EQ(completion_of("fish"), "");
}

}  // namespace
}  // namespace overlord::cli
