#include "protocol/memcache/command_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace overlord::memcache {
namespace {

TEST(CommandId, VerbsHaveTheNamesThatClientsWrite) {
  for (int i = 0; i <= static_cast<int>(Verb::quit); ++i) {
    const auto verb = static_cast<Verb>(i);
    EXPECT_EQ(command_name(static_cast<uint16_t>(command_id(verb))), verb_name(verb));
  }
  EXPECT_EQ(command_name(static_cast<uint16_t>(command_id(MetaVerb::get))), "mg");
  EXPECT_EQ(command_name(static_cast<uint16_t>(command_id(MetaVerb::noop))), "mn");
  EXPECT_EQ(command_name(static_cast<uint16_t>(command_id(MetaVerb::debug))), "me");
}

TEST(CommandId, NamesAreUniqueAndEnd) {
  std::set<std::string_view> seen;
  for (uint16_t id = 1; id < kCommandIds; ++id) EXPECT_TRUE(seen.insert(command_name(id)).second) << id;
  EXPECT_EQ(command_name(0), "");
  EXPECT_EQ(command_name(kCommandIds), "");
}

TEST(CommandId, EveryOpcodeHasOne) {
  using binary::Opcode;
  for (int i = 0; i <= static_cast<int>(Opcode::gatkq); ++i) {
    if (i == 0x1f) continue;  // not given to anything
    EXPECT_NE(command_id(static_cast<Opcode>(i)), CommandId::none) << i;
  }
  EXPECT_EQ(command_id(Opcode::getkq), CommandId::get);
  EXPECT_EQ(command_id(Opcode::setq), CommandId::set);
  EXPECT_EQ(command_id(static_cast<Opcode>(0x7f)), CommandId::none);
}

TEST(CommandId, ReadsAndWritesExcludeEachOther) {
  for (uint16_t id = 0; id < kCommandIds; ++id) {
    EXPECT_FALSE(only_reads(static_cast<CommandId>(id)) && writes(static_cast<CommandId>(id))) << command_name(id);
  }
  EXPECT_TRUE(only_reads(CommandId::get) && only_reads(CommandId::gets));
  EXPECT_TRUE(writes(CommandId::gat) && writes(CommandId::cas) && writes(CommandId::delete_));
  EXPECT_FALSE(writes(CommandId::version) || only_reads(CommandId::version));
}

}  // namespace
}  // namespace overlord::memcache
