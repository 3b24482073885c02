#include "protocol/redis/learned_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using testing::ElementsAre;

std::string list(std::initializer_list<std::string> items) {
  std::string out;
  append_array_header(out, items.size());
  for (const std::string& item : items) out += item;
  return out;
}
std::string text(std::string_view value) {
  std::string out;
  append_bulk(out, value);
  return out;
}
std::string number(int64_t value) {
  std::string out;
  append_integer(out, value);
  return out;
}

std::string index_spec(int64_t index, int64_t last, int64_t step = 1, std::string_view flag = "RW") {
  return list({text("flags"), list({text(flag)}), text("begin_search"),
               list({text("type"), text("index"), text("spec"), list({text("index"), number(index)})}),
               text("find_keys"),
               list({text("type"), text("range"), text("spec"),
                     list({text("lastkey"), number(last), text("keystep"), number(step), text("limit"), number(0)})})});
}
std::string keynum_spec(int64_t index, int64_t count_at, int64_t first) {
  return list({text("notes"), text("counted"), text("flags"), list({}), text("begin_search"),
               list({text("type"), text("index"), text("spec"), list({text("index"), number(index)})}),
               text("find_keys"),
               list({text("type"), text("keynum"), text("spec"),
                     list({text("keynumidx"), number(count_at), text("firstkey"), number(first), text("keystep"),
                           number(1)})})});
}
std::string entry(std::string_view name, std::initializer_list<std::string> specs, std::string_view flag = "write",
                  int64_t first = 1, const std::string& subs = "*0\r\n") {
  return list({text(name), number(-2), list({"+" + std::string(flag) + "\r\n"}), number(first), number(first),
               number(1), list({text("@write"), text("@unheard")}), list({text("tip")}), list(specs), subs});
}

std::map<std::string, Treatment> treatments(const std::string& reply) {
  LearnedList learned;
  EXPECT_TRUE(parse_command_table(reply, learned));
  std::map<std::string, Treatment> out;
  for (const auto& each : learned) out[std::string(each->command.name)] = each->command.treatment;
  return out;
}

TEST(LearnedCommand, TakesWhatTheTableLacks) {
  LearnedList learned;
  const std::string sub = list({entry("XINFO|NEWER", {index_spec(2, 0)}, "readonly", 2), entry("xinfo|stream", {})});
  ASSERT_TRUE(parse_command_table(
      list({entry("GET", {index_spec(1, 0)}), entry("Mod.Set", {index_spec(1, 0)}), entry("xinfo", {}, "x", 0, sub)}),
      learned));
  ASSERT_EQ(learned.size(), 2u);
  const Command& set = learned[0]->command;
  EXPECT_EQ(set.name, "mod.set");
  EXPECT_EQ(set.arity, -2);
  EXPECT_EQ(set.flags, kWrite | kLearned);
  EXPECT_EQ(set.acl, kAclWrite);
  EXPECT_THAT(set.tips, ElementsAre("tip"));
  ASSERT_EQ(set.key_specs.size(), 1u);
  EXPECT_EQ(set.key_specs[0].flags, kKeyRw);
  EXPECT_EQ(set.treatment, Treatment::single);
  EXPECT_EQ(learned[1]->command.name, "xinfo|newer");
  EXPECT_EQ(learned[1]->command.treatment, Treatment::single);
}

TEST(LearnedCommand, HasSubcommandsOfItsOwn) {
  LearnedList learned;
  ASSERT_TRUE(parse_command_table(
      list({entry("box", {}, "x", 0, list({entry("box|in", {index_spec(2, 0)}, "write", 2)}))}), learned));
  ASSERT_EQ(learned.size(), 1u);
  const Command& box = learned[0]->command;
  EXPECT_EQ(box.treatment, Treatment::refused);
  EXPECT_NE(box.flags & kContainer, 0u);
  const Command* const in = find_subcommand(box, "IN");
  ASSERT_NE(in, nullptr);
  EXPECT_EQ(in->treatment, Treatment::single);
  EXPECT_EQ(find_subcommand(box, "out"), nullptr);
}

TEST(LearnedCommand, TreatmentFollowsFromTheSpecs) {
  const auto found = treatments(list(
      {entry("one", {index_spec(1, 0)}), entry("all", {index_spec(1, -1)}),
       entry("two", {index_spec(1, 0), index_spec(2, 0)}), entry("counted", {keynum_spec(2, 0, 1)}, "movablekeys", 0),
       entry("none", {}, "readonly", 0), entry("admin", {index_spec(1, 0)}, "admin"),
       entry("blocking", {index_spec(1, 0)}, "blocking"), entry("asked", {index_spec(1, 0)}, "movablekeys"),
       entry("loop", {index_spec(1, -1, 0)}), entry("zero", {index_spec(0, 0)}), entry("back", {keynum_spec(1, -1, 1)}),
       entry("part", {index_spec(1, 0, 1, "incomplete")}), entry("channel", {index_spec(1, 0, 1, "not_key")}),
       entry("elsewhere", {index_spec(2, 0)}), entry("large", {index_spec(1, 40000)})}));
  const std::map<std::string, Treatment> wanted = {
      {"one", Treatment::single},       {"all", Treatment::one_node},       {"two", Treatment::one_node},
      {"counted", Treatment::one_node}, {"none", Treatment::refused},       {"admin", Treatment::refused},
      {"blocking", Treatment::refused}, {"asked", Treatment::refused},      {"loop", Treatment::refused},
      {"zero", Treatment::refused},     {"back", Treatment::refused},       {"part", Treatment::refused},
      {"channel", Treatment::refused},  {"elsewhere", Treatment::one_node}, {"large", Treatment::refused}};
  EXPECT_EQ(found, wanted);
}

TEST(LearnedCommand, OldServersSayLess) {
  const auto old = [](std::string_view name, int64_t first, int64_t last, int64_t step,
                      std::string_view flag = "write") {
    return list({text(name), number(2), list({text(flag)}), number(first), number(last), number(step)});
  };
  const auto found =
      treatments(list({old("one", 1, 1, 1), old("third", 3, 3, 1), old("all", 1, -1, 1), old("pairs", 1, -1, 2),
                       old("two", 1, 2, 1), old("none", 0, 0, 0), old("asked", 1, 1, 1, "movablekeys"),
                       old("back", 2, 1, 1), old("loop", 1, -1, 0), old("before", -1, 1, 1)}));
  const std::map<std::string, Treatment> wanted = {{"one", Treatment::single},    {"third", Treatment::single},
                                                   {"all", Treatment::one_node},  {"pairs", Treatment::one_node},
                                                   {"two", Treatment::one_node},  {"none", Treatment::refused},
                                                   {"asked", Treatment::refused}, {"back", Treatment::refused},
                                                   {"loop", Treatment::refused},  {"before", Treatment::refused}};
  EXPECT_EQ(found, wanted);
}

TEST(LearnedCommand, SetsAndMapsOfResp3AreTheSame) {
  const std::string resp3 =
      "*1\r\n*10\r\n+new\r\n:-2\r\n~1\r\n+write\r\n:1\r\n:1\r\n:1\r\n~0\r\n*0\r\n"
      "*1\r\n%3\r\n+flags\r\n~1\r\n+RW\r\n+begin_search\r\n%2\r\n+type\r\n+index\r\n+spec\r\n%1\r\n+index\r\n:1\r\n"
      "+find_keys\r\n%2\r\n+type\r\n+range\r\n+spec\r\n%3\r\n+lastkey\r\n:0\r\n+keystep\r\n:1\r\n+limit\r\n:0\r\n_\r\n";
  EXPECT_THAT(treatments(resp3), ElementsAre(std::pair<const std::string, Treatment>("new", Treatment::single)));
}

TEST(LearnedCommand, EqualBytesMeanEqualCommands) {
  LearnedList learned;
  const std::string one = entry("one", {index_spec(1, 0)});
  ASSERT_TRUE(parse_command_table(list({one, entry("two", {})}), learned));
  EXPECT_EQ(learned[0]->bytes, one);
  EXPECT_NE(learned[1]->bytes, one);
}

TEST(LearnedCommand, AnythingElseIsMalformed) {
  const std::string good = list({entry("one", {index_spec(1, 0)})});
  LearnedList learned;
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse_command_table(good.substr(0, size), learned)) << size;
  for (const std::string& bad :
       {std::string("+OK\r\n"), good + "x", list({number(1)}), list({list({})}), list({entry("", {})}),
        list({entry("a b", {})}), list({entry(std::string(129, 'a'), {})}), list({entry("a\x80", {})}),
        std::string("*9000\r\n"), list({entry("box", {}, "x", 0, list({entry("other|in", {})}))}),
        list({entry("box", {}, "x", 0, list({entry("box|", {})}))})}) {
    EXPECT_FALSE(parse_command_table(bad, learned)) << bad;
  }
}

}  // namespace
}  // namespace overlord::redis
