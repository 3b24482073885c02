#pragma once
// A TOML file as plain values with their places in it. Only toml_document.cpp sees the TOML library.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/problem.h"

namespace overlord::config {

struct Position {
  uint32_t line = 0;  // from 1; 0: unknown
  uint32_t column = 0;
};

struct TomlEntry;
struct TomlValue;
struct TomlTable {
  std::vector<TomlEntry> entries;  // in the order of the file
};
struct TomlArray {
  std::vector<TomlValue> items;
};
struct TomlOther {
  std::string_view type;  // "a date", "a time"
};

struct TomlValue {
  std::variant<std::string, int64_t, double, bool, TomlTable, TomlArray, TomlOther> data;
  Position at;

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data);
  }
  std::string_view type_name() const;  // "a string", "an integer", ...
};

struct TomlEntry {
  std::string key;
  Position at;  // of the key
  TomlValue value;
};

// A syntax error is added to problems; the result is then empty.
TomlTable parse_toml(std::string_view text, const std::string& file, std::vector<Problem>& problems);

}  // namespace overlord::config
