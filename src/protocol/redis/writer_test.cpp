#include "protocol/redis/writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace overlord::redis {
namespace {

template <typename Append, typename... Args>
std::string written(Append append, Args... args) {
  std::string out = "x";
  append(out, args...);
  return out.substr(1);
}

TEST(Writer, Values) {
  EXPECT_EQ(written(append_bulk, std::string_view("a\r\nb")), "$4\r\na\r\nb\r\n");
  EXPECT_EQ(written(append_bulk, std::string_view("")), "$0\r\n\r\n");
  EXPECT_EQ(written(append_integer, std::numeric_limits<int64_t>::min()), ":-9223372036854775808\r\n");
  EXPECT_EQ(written(append_array_header, size_t{12}), "*12\r\n");
  EXPECT_EQ(written(append_simple, std::string_view("PONG")), "+PONG\r\n");
  EXPECT_EQ(written(append_error, std::string_view("ERR a\r\nb")), "-ERR a  b\r\n");
  const std::string_view args[] = {"GET", "k"};
  std::string out;
  append_command(out, args);
  EXPECT_EQ(out, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}

TEST(Writer, ErrorTexts) {
  const std::string_view two[] = {"a", "b c"};
  EXPECT_EQ(unknown_command_error("FOO", two), "ERR unknown command 'FOO', with args beginning with: 'a' 'b c' ");
  EXPECT_EQ(unknown_command_error("FOO", {}), "ERR unknown command 'FOO', with args beginning with: ");
  EXPECT_EQ(unknown_command_error(std::string(300, 'x'), {}),
            "ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: ");
  EXPECT_EQ(wrong_arity_error("get"), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(unknown_subcommand_error("client", "foo"), "ERR unknown subcommand 'foo'. Try CLIENT HELP.");
}

}  // namespace
}  // namespace overlord::redis
