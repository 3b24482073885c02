#include "protocol/redis/command.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "protocol/redis/command_reply.h"
#include "protocol/redis/glob.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Words = std::vector<std::string>;

class Request {
 public:
  explicit Request(const Words& words) {
    append_command(bytes_, std::vector<std::string_view>(words.begin(), words.end()));
    EXPECT_EQ(parser_.parse(bytes_), ParseStatus::complete);
  }
  const RequestParser& parser() const { return parser_; }
  const Command& command() const { return *resolve_command(parser_).command; }

 private:
  std::string bytes_;
  RequestParser parser_;
};

// The keys of a call; {"invalid"} when it has none that can be told.
Words keys_of(const Words& words) {
  const Request request(words);
  Words keys;
  const int count = visit_keys(
      request.command(), request.parser(),
      [](void* context, std::string_view key) { static_cast<Words*>(context)->emplace_back(key); }, &keys);
  if (count < 0) return {"invalid"};
  EXPECT_EQ(static_cast<size_t>(count), keys.size());
  return keys;
}

std::string reply_to(const Words& words) {
  const Request request(words);
  EXPECT_EQ(resolve_command(request.parser()).status, Resolved::Status::ok);
  std::string out;
  append_command_reply(out, request.command(), request.parser());
  return out;
}

TEST(FindCommand, EveryNameInEveryCase) {
  for (const Command& command : all_commands()) {
    std::string name(command.name);
    EXPECT_EQ(find_command(name), &command);
    for (size_t i = 0; i < name.size(); i += 2) name[i] = static_cast<char>(std::toupper(name[i]));
    EXPECT_EQ(find_command(name), &command);
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(find_command(name), &command);
    for (const Command& sub : command.subcommands) {
      EXPECT_EQ(sub.name.substr(0, command.name.size() + 1), std::string(command.name) + "|");
      EXPECT_EQ(find_subcommand(command, sub.name.substr(command.name.size() + 1)), &sub);
    }
  }
}

TEST(FindCommand, NothingElse) {
  for (const std::string_view name :
       {"", "g", "ge", "gett", "client|list", "GET ", " GET", "zzzzzzzz", "SET\r\n", "@et", "georadiusbymember_r",
        "georadiusbymember_roo", "georadiusbymember\x7fro"}) {
    EXPECT_EQ(find_command(name), nullptr) << name;
  }
  EXPECT_EQ(find_command(std::string_view("get\0", 4)), nullptr);
  EXPECT_EQ(find_command(std::string(100000, 'a')), nullptr);
  // One changed byte of any name, at any place, is another name. 0x20 and 0x80 are what folding could lose.
  for (const Command& command : all_commands()) {
    for (size_t i = 0; i < command.name.size(); ++i) {
      for (const int flip : {0x01, 0x20, 0x40, 0x80}) {
        std::string name(command.name);
        name[i] = static_cast<char>(name[i] ^ flip);
        const bool same = flip == 0x20 && std::isalpha(static_cast<unsigned char>(command.name[i])) != 0;
        const Command* const found = find_command(name);
        EXPECT_TRUE(same ? found == &command : found == nullptr || found->name == name) << name;
      }
    }
  }
}

TEST(CommandTable, TreatmentsFitTheKeys) {
  for (const Command& top : all_commands()) {
    std::vector<const Command*> all{&top};
    for (const Command& sub : top.subcommands) all.push_back(&sub);
    for (const Command* command : all) {
      const bool has_keys = !command->key_specs.empty();
      switch (command->treatment) {
        case Treatment::single:
          EXPECT_GE(command->first_key, 1) << command->name;
          EXPECT_LT(command->first_key, static_cast<int>(RequestParser::kFirstArgs)) << command->name;
          EXPECT_EQ(command->first_key, command->last_key) << command->name;
          EXPECT_TRUE(arity_ok(*command, static_cast<uint32_t>(std::abs(command->arity)))) << command->name;
          EXPECT_GT(std::abs(command->arity), command->first_key) << command->name;
          [[fallthrough]];
        case Treatment::one_node:
        case Treatment::script:
        case Treatment::split_mget:
        case Treatment::split_mset:
        case Treatment::split_sum:
          EXPECT_TRUE(has_keys) << command->name;
          EXPECT_EQ(command->flags & kAdmin, 0u) << command->name;
          EXPECT_TRUE((command->flags & kBlocking) == 0 || command->rule == CallRule::may_block) << command->name;
          break;
        case Treatment::scan:
        case Treatment::all_keys:
        case Treatment::all_sum:
        case Treatment::all_ok:
        case Treatment::all_same:
        case Treatment::all_and:
        case Treatment::all_any:
        case Treatment::all_running:
        case Treatment::all_random:
        case Treatment::any_node:
          EXPECT_FALSE(has_keys) << command->name;
          EXPECT_EQ(command->flags & (kAdmin | kBlocking), 0u) << command->name;
          break;
        case Treatment::local: EXPECT_FALSE(has_keys) << command->name; break;
        case Treatment::all_channels:
        case Treatment::all_counts:
        case Treatment::all_most:
        case Treatment::all_least:
        case Treatment::blocking:
        case Treatment::docs:
        case Treatment::slot:
        case Treatment::channel:
        case Treatment::pubsub:
        case Treatment::transaction:
        case Treatment::refused: break;
      }
    }
  }
}

TEST(ResolveCommand, AnswersAsTheServerDoes) {
  using Status = Resolved::Status;
  const auto resolve = [](const Words& words) {
    const Request request(words);
    const Resolved resolved = resolve_command(request.parser());
    return std::pair(resolved.status, resolve_error(resolved, request.parser()));
  };
  EXPECT_EQ(resolve({"get", "k"}).first, Status::ok);
  EXPECT_EQ(resolve({"CLIENT", "setName", "n"}).first, Status::ok);
  EXPECT_EQ(resolve({"COMMAND"}).first, Status::ok);
  EXPECT_EQ(resolve({"GET"}),
            (std::pair(Status::wrong_arity, std::string("ERR wrong number of arguments for 'get' command"))));
  EXPECT_EQ(resolve({"CLIENT"}).second, "ERR wrong number of arguments for 'client' command");
  EXPECT_EQ(resolve({"client", "setname"}).second, "ERR wrong number of arguments for 'client|setname' command");
  EXPECT_EQ(resolve({"client", "Foo", "x"}).second, "ERR unknown subcommand 'Foo'. Try CLIENT HELP.");
  EXPECT_EQ(resolve({"FOO", "a", "b"}).second, "ERR unknown command 'FOO', with args beginning with: 'a' 'b' ");
}

TEST(VisitKeys, EveryKindOfSpec) {
  EXPECT_EQ(keys_of({"GET", "k"}), Words{"k"});
  EXPECT_EQ(keys_of({"OBJECT", "encoding", "k"}), Words{"k"});
  EXPECT_EQ(keys_of({"XGROUP", "CREATE", "k", "g", "$"}), Words{"k"});
  EXPECT_EQ(keys_of({"MSET", "a", "1", "b", "2"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"DEL", "a", "b", "a"}), (Words{"a", "b", "a"}));
  EXPECT_EQ(keys_of({"RENAME", "a", "b"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"SMOVE", "a", "b", "m"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"BITOP", "AND", "d", "a", "b"}), (Words{"d", "a", "b"}));
  EXPECT_EQ(keys_of({"EVAL", "x", "2", "a", "b", "c"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"EVAL", "x", "0", "c"}), Words{});
  EXPECT_EQ(keys_of({"EVAL", "x", "3", "a", "b"}), Words{"invalid"});
  EXPECT_EQ(keys_of({"EVAL", "x", "-1", "a"}), Words{"invalid"});
  EXPECT_EQ(keys_of({"EVAL", "x", "a", "a"}), Words{"invalid"});
  EXPECT_EQ(keys_of({"EVAL", "x", "9223372036854775807", "a"}), Words{"invalid"});
  EXPECT_EQ(keys_of({"EVAL", "x", "01", "a"}), Words{"invalid"});
  EXPECT_EQ(keys_of({"ZUNIONSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"}), (Words{"d", "a", "b"}));
  EXPECT_EQ(keys_of({"LMPOP", "2", "a", "b", "LEFT"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"XREAD", "COUNT", "2", "streams", "a", "b", "0", "0"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"XREADGROUP", "GROUP", "streams", "c", "STREAMS", "a", ">"}), Words{"a"});
  EXPECT_EQ(keys_of({"XREAD", "STREAMS"}), Words{});
  EXPECT_EQ(keys_of({"GEORADIUS", "k", "1", "1", "1", "m"}), Words{"k"});
  EXPECT_EQ(keys_of({"GEORADIUS", "k", "1", "1", "1", "m", "STORE", "d", "storedist", "e"}), (Words{"k", "d", "e"}));
  EXPECT_EQ(keys_of({"GEORADIUS", "k", "1", "1", "1", "m", "STORE", "d", "STORE", "e"}), (Words{"k", "d", "e"}));
  EXPECT_EQ(keys_of({"SORT", "k"}), Words{"k"});
  EXPECT_EQ(keys_of({"SORT", "k", "STORE", "a", "LIMIT", "store", "x", "BY", "store", "store", "d"}),
            (Words{"k", "d"}));
  EXPECT_EQ(keys_of({"SORT", "k", "STORE"}), Words{"k"});
  EXPECT_EQ(keys_of({"SORT_RO", "k", "STORE", "x"}), Words{"k"});
  EXPECT_EQ(keys_of({"MIGRATE", "h", "1", "", "0", "1", "keys", "KEYS", "a"}), (Words{"", "a"}));
  EXPECT_EQ(keys_of({"SPUBLISH", "c", "m"}), Words{});
  EXPECT_EQ(keys_of({"PING"}), Words{});
}

TEST(VisitKeys, KeysBehindTheKeptArguments) {
  Words words{"MGET"};
  for (int i = 0; i < 1000; ++i) words.push_back("k" + std::to_string(i));
  EXPECT_EQ(keys_of(words), Words(words.begin() + 1, words.end()));
  words = {"XREADGROUP", "GROUP",   "g", "c", "COUNT", "1", "NOACK", "NOACK", "NOACK",
           "NOACK",      "STREAMS", "a", "b", "c",     "1", "2",     "3"};
  EXPECT_EQ(keys_of(words), (Words{"a", "b", "c"}));
}

TEST(BlockTime, WhatTheArgumentsSay) {
  const auto time = [](const Words& words) {
    const Request request(words);
    return block_time(request.command(), request.parser());
  };
  using Time = std::optional<uint64_t>;
  EXPECT_EQ(time({"BLPOP", "a", "b", "0"}), Time(0));
  EXPECT_EQ(time({"BLPOP", "a", "1.5"}), Time(1'500'000'000));
  EXPECT_EQ(time({"BLMOVE", "a", "b", "LEFT", "RIGHT", "2"}), Time(2'000'000'000));
  EXPECT_EQ(time({"BLMPOP", "3", "1", "a", "LEFT"}), Time(3'000'000'000));
  EXPECT_EQ(time({"BZMPOP", "3", "1", "a", "MIN", "COUNT", "7"}), Time(3'000'000'000));
  EXPECT_EQ(time({"XREAD", "COUNT", "9", "BLOCK", "20", "STREAMS", "a", "$"}), Time(20'000'000));
  EXPECT_EQ(time({"XREADGROUP", "GROUP", "BLOCK", "c", "BLOCK", "0", "STREAMS", "a", ">"}), Time(0));
  EXPECT_EQ(time({"BLPOP", "a", "1e15"}), Time(0)) << "as good as for ever";
  EXPECT_EQ(time({"BLPOP", "a", "1e-12"}), Time(1)) << "but not for ever";
  for (const char* bad : {"-1", "x", "", "1x", "nan"}) EXPECT_EQ(time({"BLPOP", "a", bad}), std::nullopt) << bad;
  EXPECT_EQ(time({"XREAD", "STREAMS", "a", "0"}), std::nullopt);
}

TEST(RefusedCall, WhatASharedConnectionCannotDo) {
  const auto refused = [](const Words& words) {
    const Request request(words);
    return !refused_call(request.command(), request.parser()).empty();
  };
  const auto blocking = [](const Words& words) {
    const Request request(words);
    return is_blocking_call(request.command(), request.parser());
  };
  EXPECT_TRUE(blocking({"XREAD", "block", "0", "STREAMS", "a", "$"}));
  EXPECT_TRUE(blocking({"XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", "a", "$"}));
  EXPECT_TRUE(blocking({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "a", ">"}));
  EXPECT_FALSE(blocking({"XREADGROUP", "GROUP", "BLOCK", "BLOCK", "STREAMS", "BLOCK", ">"}));
  EXPECT_FALSE(refused({"XREAD", "STREAMS", "BLOCK", "0"}));
  EXPECT_TRUE(blocking({"BLPOP", "a", "0"}));
  EXPECT_FALSE(blocking({"LPOP", "a"}));
  EXPECT_TRUE(refused({"SORT", "k", "BY", "w_*"}));
  EXPECT_TRUE(refused({"SORT", "k", "GET", "#", "get", "w_*->f"}));
  EXPECT_FALSE(refused({"SORT", "k", "BY", "nosort", "GET", "#", "LIMIT", "0", "1", "DESC"}));
  EXPECT_TRUE(refused({"SORT_RO", "k", "BY", "*"}));
  EXPECT_TRUE(refused({"COPY", "a", "b", "DB", "1"}));
  EXPECT_FALSE(refused({"COPY", "db", "db", "REPLACE"}));
  EXPECT_FALSE(refused({"GET", "block"}));
}

TEST(CommandReply, TellsOfTheTable) {
  EXPECT_EQ(reply_to({"COMMAND", "COUNT"}), ":240\r\n");
  EXPECT_EQ(reply_to({"COMMAND", "INFO", "nosuch", "client|nosuch", "nosuch|x"}), "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
  EXPECT_EQ(reply_to({"COMMAND", "INFO", "GET"}),
            "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@"
            "string\r\n+@fast\r\n"
            "*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$"
            "5\r\nindex\r\n"
            "$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$"
            "4\r\nspec\r\n*6\r\n"
            "$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n");
  EXPECT_EQ(reply_to({"COMMAND", "GETKEYS", "MGET", "a", "b"}), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(reply_to({"COMMAND", "LIST", "FILTERBY", "PATTERN", "getr*"}), "*1\r\n$8\r\ngetrange\r\n");
  std::string doc;
  append_command_doc(doc, *find_command("get"));
  EXPECT_EQ(doc,
            "$3\r\nget\r\n*6\r\n$7\r\nsummary\r\n$41\r\nThrough the proxy: goes to the key's node\r\n"
            "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n");
}

TEST(Glob, MatchesAsRedisDoes) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(glob_match("a*b*c", "aXbYbZ"));
  EXPECT_TRUE(glob_match("G?T", "get"));
  EXPECT_FALSE(glob_match("g?t", "gt"));
  EXPECT_TRUE(glob_match("[a-c]x[^0-9]", "bxy"));
  EXPECT_FALSE(glob_match("[a-c]x[^0-9]", "bx5"));
  EXPECT_TRUE(glob_match("[c-a]", "b"));
  EXPECT_TRUE(glob_match("\\*", "*"));
  EXPECT_FALSE(glob_match("\\*", "a"));
  EXPECT_TRUE(glob_match("[\\]]", "]"));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("[", "a"));
  EXPECT_FALSE(glob_match(std::string(1000, '*') + "b", std::string(1000, 'a')));
}

}  // namespace
}  // namespace overlord::redis
