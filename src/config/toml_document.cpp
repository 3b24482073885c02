#include "config/toml_document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace overlord::config {

namespace {

Position position(const toml::source_region& region) { return {region.begin.line, region.begin.column}; }

TomlTable convert_table(const toml::table& table);

TomlValue convert(const toml::node& node) {
  TomlValue value;
  value.at = position(node.source());
  switch (node.type()) {
    case toml::node_type::string: value.data = node.as_string()->get(); break;
    case toml::node_type::integer: value.data = node.as_integer()->get(); break;
    case toml::node_type::floating_point: value.data = node.as_floating_point()->get(); break;
    case toml::node_type::boolean: value.data = node.as_boolean()->get(); break;
    case toml::node_type::table: value.data = convert_table(*node.as_table()); break;
    case toml::node_type::array: {
      TomlArray array;
      for (const toml::node& item : *node.as_array()) array.items.push_back(convert(item));
      value.data = std::move(array);
      break;
    }
    case toml::node_type::time: value.data = TomlOther{"a time"}; break;
    default: value.data = TomlOther{"a date"}; break;
  }
  return value;
}

TomlTable convert_table(const toml::table& table) {
  TomlTable converted;
  for (const auto& [key, node] : table) {
    TomlEntry entry{std::string(key.str()), position(key.source()), convert(node)};
    if (entry.at.line == 0) entry.at = entry.value.at;
    converted.entries.push_back(std::move(entry));
  }
  // The library keeps keys sorted by name; people read messages from top to bottom.
  std::stable_sort(converted.entries.begin(), converted.entries.end(), [](const TomlEntry& a, const TomlEntry& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return converted;
}

}  // namespace

std::string_view TomlValue::type_name() const {
  struct Namer {
    std::string_view operator()(const std::string&) const { return "a string"; }
    std::string_view operator()(int64_t) const { return "an integer"; }
    std::string_view operator()(double) const { return "a decimal number"; }
    std::string_view operator()(bool) const { return "a boolean"; }
    std::string_view operator()(const TomlTable&) const { return "a table"; }
    std::string_view operator()(const TomlArray&) const { return "an array"; }
    std::string_view operator()(const TomlOther& other) const { return other.type; }
  };
  return std::visit(Namer{}, data);
}

TomlTable parse_toml(std::string_view text, const std::string& file, std::vector<Problem>& problems) {
  Problem problem{.file = file};
  try {
    return convert_table(toml::parse(text, file));
  } catch (const toml::parse_error& failure) {
    const Position at = position(failure.source());
    problem.line = at.line;
    problem.column = at.column;
    problem.message = "TOML syntax: " + std::string(failure.description());
  } catch (const std::exception& failure) {
    problem.message = std::string("TOML: ") + failure.what();
  }
  problems.push_back(std::move(problem));
  return {};
}

}  // namespace overlord::config
