#include "protocol/redis/writer.h"

#include <charconv>

namespace overlord::redis {
namespace {

// What the server shows of a name, and of all arguments, in an unknown-command error.
constexpr size_t kShownName = 128;
constexpr size_t kShownArgs = 128;

void append_line(std::string& out, char mark, int64_t number) {
  char line[24];
  char* p = line;
  *p++ = mark;
  p = std::to_chars(p, line + sizeof line, number).ptr;
  *p++ = '\r';
  *p++ = '\n';
  out.append(line, static_cast<size_t>(p - line));
}

void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) out.push_back(c == '\r' || c == '\n' ? ' ' : c);
}

// As the server's "%.*s": up to the width, and not behind a NUL.
std::string_view shown(std::string_view text, size_t width) {
  text = text.substr(0, width);
  return text.substr(0, text.find('\0'));
}

}  // namespace

void append_bulk(std::string& out, std::string_view value) {
  append_line(out, '$', static_cast<int64_t>(value.size()));
  out.append(value);
  out.append("\r\n", 2);
}

void append_integer(std::string& out, int64_t value) { append_line(out, ':', value); }

void append_array_header(std::string& out, size_t count) { append_line(out, '*', static_cast<int64_t>(count)); }

void append_simple(std::string& out, std::string_view text) {
  out.push_back('+');
  append_printable(out, text);
  out.append("\r\n", 2);
}

void append_error(std::string& out, std::string_view text) {
  out.push_back('-');
  append_printable(out, text);
  out.append("\r\n", 2);
}

void append_command(std::string& out, std::span<const std::string_view> args) {
  append_array_header(out, args.size());
  for (const std::string_view arg : args) append_bulk(out, arg);
}

std::string unknown_command_error(std::string_view name, std::span<const std::string_view> first_args) {
  std::string args;
  for (const std::string_view arg : first_args) {
    if (args.size() >= kShownArgs) break;
    args += '\'';
    args += shown(arg, kShownArgs - (args.size() - 1));
    args += "' ";
  }
  std::string text = "ERR unknown command '";
  text += shown(name, kShownName);
  text += "', with args beginning with: ";
  text += args;
  return text;
}

std::string wrong_arity_error(std::string_view command_name) {
  std::string text = "ERR wrong number of arguments for '";
  text += command_name;
  text += "' command";
  return text;
}

std::string unknown_subcommand_error(std::string_view container, std::string_view sub) {
  std::string text = "ERR unknown subcommand '";
  text += shown(sub, kShownName);
  text += "'. Try ";
  for (const char c : container) text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  text += " HELP.";
  return text;
}

}  // namespace overlord::redis
