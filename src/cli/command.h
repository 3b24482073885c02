#pragma once
// Command: one thing that `overlord` can ask of the platform's API, as data: the words that name it, the request that it
// makes, and how its answer is shown. docs/platform-cli.md lists them; the API's own description is docs/platform-api.md.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::cli {

enum class Kind : uint8_t {
  text,
  integer,
  boolean,  // a flag without a value gives true
  list,     // may be given several times
  map,      // NAME=VALUE, several times
};

// A positional argument or a flag: what it is called, and the field that it becomes. A path's part is named as in
// `Command::path`; all others are fields of the body, or of the query where the method has none. "a.b": an object in it.
struct Field {
  std::string_view name;   // "NAME" of an argument, "--spec" of a flag
  std::string_view field;  // "spec"
  Kind kind = Kind::text;
  std::string_view what{};
  bool required = false;
  bool in_query = false;  // of a method with a body
};

struct Column {
  std::string_view title;
  std::string_view field;
};

enum class Answer : uint8_t {
  rows,   // {"items": [...]}, as a table
  sheet,  // an object: a line for each field, and a table of `rows_field`
  job,    // a job that was submitted; --wait follows it
  word,   // {"message": "done"}
  text,   // as it is
  stream,
};

struct Command {
  std::string_view noun;
  std::string_view verb;
  std::string_view what;  // one line
  std::string_view method;
  std::string_view path;  // "/api/v1/clusters/{name}"
  std::span<const Field> arguments{};
  std::span<const Field> flags{};
  Answer answer = Answer::word;
  std::span<const Column> columns{};  // of rows, or of the table in a sheet
  std::string_view rows_field{};      // of a sheet: where its table is
  bool risky = false;                 // asks first, unless --yes
};

std::span<const Command> commands();
std::string_view noun_help(std::string_view noun);

// What was typed for one command: by `field` the words of its arguments and flags. Those not given are absent.
using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

}  // namespace overlord::cli
