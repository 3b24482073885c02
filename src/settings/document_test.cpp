#include "settings/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::settings {
namespace {

using testing::ElementsAre;

TEST(Document, GivesWhatIsThereAndLeavesTheRest) {
  Document file(
      "name = 'a'\non = true\ncount = 7\nrole = ['x', 'y']\none = 'z'\nlabels = { zone = 'a' }\n"
      "[[hosts]]\naddress = '127.0.0.1'\n[[hosts]]\naddress = '127.0.0.2'\n",
      "f.toml");
  Table top = file.top();
  std::string name = "before";
  std::string other = "before";
  bool on = false;
  uint16_t count = 1;
  std::vector<std::string> role;
  std::vector<std::string> one;
  std::map<std::string, std::string> labels;
  top.text("name", name);
  top.text("other", other);
  top.boolean("on", on);
  top.number("count", count, 1, 10);
  top.texts("role", role);
  top.texts("one", one);
  top.text_map("labels", labels);
  std::vector<std::string> hosts;
  for (Table& host : top.tables("hosts")) {
    host.text("address", hosts.emplace_back());
    host.finish();
  }
  top.finish();
  EXPECT_THAT(file.errors(), ElementsAre());
  EXPECT_EQ(name, "a");
  EXPECT_EQ(other, "before");
  EXPECT_TRUE(on);
  EXPECT_EQ(count, 7);
  EXPECT_THAT(role, ElementsAre("x", "y"));
  EXPECT_THAT(one, ElementsAre("z"));
  EXPECT_EQ(labels["zone"], "a");
  EXPECT_THAT(hosts, ElementsAre("127.0.0.1", "127.0.0.2"));
}

TEST(Document, TellsAllThatIsWrongWithItsLine) {
  Document file("listne = 'x'\ncount = 11\nrole = [1]\n[[hosts]]\nadress = 1\n", "f.toml");
  Table top = file.top();
  std::string text;
  int count = 0;
  std::vector<std::string> role;
  top.text("listen", text);
  top.number("count", count, 1, 10);
  top.texts("role", role);
  for (Table& host : top.tables("hosts")) {
    host.text("address", text);
    if (!host.has("address")) host.error("address", "is required");
    host.finish();
  }
  top.finish();
  EXPECT_THAT(file.errors(), ElementsAre("f.toml:2:9: error: count: must be a whole number from 1 to 10",
                                         "f.toml:3:8: error: role: must be a list of texts",
                                         "f.toml:4:1: error: hosts.address: is required",
                                         "f.toml:5:10: error: hosts.adress: unknown key; did you mean address?",
                                         "f.toml:1:10: error: listne: unknown key; did you mean listen?"));
}

TEST(Document, SaysWhereItIsNoToml) {
  Document file("a = \n", "f.toml");
  ASSERT_EQ(file.errors().size(), 1U);
  EXPECT_THAT(file.errors()[0], testing::StartsWith("f.toml:1:"));
  EXPECT_FALSE(Document::open("/none/at/all.toml"));
}

TEST(Milliseconds, AreWrittenAsInGo) {
  EXPECT_EQ(milliseconds_of("72h").value_or(-1), 72 * 3'600'000);
  EXPECT_EQ(milliseconds_of("1h30m").value_or(-1), 5'400'000);
  EXPECT_EQ(milliseconds_of("1500ms").value_or(-1), 1500);
  EXPECT_EQ(milliseconds_of("0").value_or(-1), 0);
  for (const char* text : {"", "72", "h", "-1s", "1x", "1h-1m", "99999999999999999999h", "9999999999999999h"}) {
    EXPECT_FALSE(milliseconds_of(text)) << text;
  }
}

}  // namespace
}  // namespace overlord::settings
