#pragma once
// Writing RESP: requests (append_command) and RESP2 replies, into a std::string or a ChunkQueue by a sink.
// The error texts are redis-server's own, so that client libraries recognise them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace overlord::redis {

void append_bulk(std::string& out, std::string_view value);
void append_integer(std::string& out, int64_t value);
void append_array_header(std::string& out, size_t count);
void append_simple(std::string& out, std::string_view text);
// "-" + text + CRLF; CR and LF inside text become spaces.
void append_error(std::string& out, std::string_view text);
// *argc, then each argument as a bulk string.
void append_command(std::string& out, std::span<const std::string_view> args);

// "ERR unknown command 'x', with args beginning with: 'a' 'b' " as redis 7.0 words and truncates it.
std::string unknown_command_error(std::string_view name, std::span<const std::string_view> first_args);
// "ERR wrong number of arguments for 'get' command"
std::string wrong_arity_error(std::string_view command_name);
// "ERR unknown subcommand 'x'. Try CLIENT HELP." as redis 7.0 words it.
std::string unknown_subcommand_error(std::string_view container, std::string_view sub);

}  // namespace overlord::redis
