#include "proxy/learned_commands.h"

#include <gtest/gtest.h>

#include "protocol/redis/writer.h"

namespace overlord::proxy {
namespace {

using redis::Command;
using redis::Resolved;
using Status = Resolved::Status;

std::unique_ptr<redis::LearnedCommand> made(std::string name, std::string bytes, int16_t arity = 2) {
  auto learned = std::make_unique<redis::LearnedCommand>();
  learned->name = std::move(name);
  learned->bytes = std::move(bytes);
  learned->command.name = learned->name;
  learned->command.arity = arity;
  return learned;
}

Resolved ask(LearnedCommands& learned, std::initializer_list<std::string_view> words) {
  std::string wire;
  redis::append_command(wire, std::span(words.begin(), words.size()));
  redis::RequestParser parser;
  EXPECT_EQ(parser.parse(wire), redis::ParseStatus::complete);
  return learned.resolve(redis::resolve_command(parser), parser);
}

TEST(LearnedCommands, FindsWhatIsPublished) {
  LearnedCommands learned;
  EXPECT_EQ(ask(learned, {"mod.a", "k"}).status, Status::unknown_command);
  EXPECT_TRUE(learned.take_miss());
  EXPECT_FALSE(learned.take_miss());
  const Command* const a = learned.keep(made("mod.a", "a"));
  const Command* const sub = learned.keep(made("xinfo|newer", "b", 3));
  learned.publish({sub, a, a});
  EXPECT_EQ(learned.all(), (LearnedCommands::List{a, sub}));
  EXPECT_EQ(ask(learned, {"MOD.A", "k"}).command, a);
  EXPECT_EQ(ask(learned, {"MOD.A", "k"}).status, Status::ok);
  EXPECT_EQ(ask(learned, {"mod.a"}).status, Status::wrong_arity);
  EXPECT_EQ(ask(learned, {"xinfo", "Newer", "k"}).command, sub);
  EXPECT_EQ(ask(learned, {"get", "k"}).status, Status::ok);
  EXPECT_EQ(ask(learned, {"get"}).status, Status::wrong_arity);
  EXPECT_FALSE(learned.take_miss());
  EXPECT_EQ(ask(learned, {"xinfo", "newest", "k"}).status, Status::unknown_subcommand);
  EXPECT_EQ(ask(learned, {std::string(1000, 'x'), "k"}).status, Status::unknown_command);
  EXPECT_TRUE(learned.take_miss());
  learned.publish({});
  EXPECT_EQ(ask(learned, {"mod.a", "k"}).status, Status::unknown_command);
}

TEST(LearnedCommands, EqualOnesAreKeptOnce) {
  LearnedCommands learned;
  const Command* const a = learned.keep(made("mod.a", "a"));
  EXPECT_EQ(learned.keep(made("mod.a", "a")), a);
  EXPECT_NE(learned.keep(made("mod.a", "another")), a);
}

TEST(LearnedCommands, BackendsThatGoOnChangingAreBounded) {
  LearnedCommands learned;
  size_t kept = 0;
  for (int i = 0; i < 20000; ++i) {
    const Command* const command = learned.keep(made("mod.a", std::to_string(i)));
    if (command == nullptr) continue;
    ++kept;
    learned.publish({command});
  }
  EXPECT_LT(kept, 20000u);
  EXPECT_EQ(learned.all().size(), 1u);
  EXPECT_EQ(ask(learned, {"mod.a", "k"}).status, Status::ok);
}

TEST(LearnedCommands, OneLearns) {
  LearnedCommands learned;
  EXPECT_TRUE(learned.claim());
  EXPECT_FALSE(learned.claim());
}

}  // namespace
}  // namespace overlord::proxy
