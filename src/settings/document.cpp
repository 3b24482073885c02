#include "settings/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

namespace overlord::settings {
namespace {

constexpr std::streamoff kMaxFile = 1024 * 1024;

const toml::table& table_at(const void* table) { return *static_cast<const toml::table*>(table); }

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

}  // namespace

struct Document::Parsed {
  toml::table table;
};

Document::Document(std::string_view text, std::string name)
    : name_(std::move(name)), parsed_(std::make_unique<Parsed>()) {
  try {
    parsed_->table = toml::parse(text, name_);
  } catch (const toml::parse_error& problem) {
    const toml::source_position at = problem.source().begin;
    errors_.push_back(name_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                      ": error: " + std::string(problem.description()));
  }
}

Document::~Document() = default;

Result<std::unique_ptr<Document>> Document::open(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in.tellg();
  if (!in || size < 0) return fail("cannot read the configuration " + path);
  if (size > kMaxFile) return fail(path + " is larger than 1 MiB, so it is no configuration");
  std::string text(static_cast<size_t>(size), '\0');
  in.seekg(0);
  if (!in.read(text.data(), size)) return fail("cannot read the configuration " + path);
  return std::make_unique<Document>(text, path);
}

Table Document::top() { return {*this, &parsed_->table, ""}; }

std::string Document::place(const void* node) const {
  if (node == nullptr) return name_ + ": ";
  const toml::source_position at = static_cast<const toml::node*>(node)->source().begin;
  return name_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
}

void Table::error(std::string_view key, const std::string& what) {
  const toml::node* node = table_at(table_).get(key);
  const void* const at = node == nullptr ? (path_.empty() ? nullptr : table_) : node;
  document_->errors_.push_back(document_->place(at) + "error: " + path_ + std::string(key) + ": " + what);
}

void Table::warning(std::string_view key, const std::string& what) {
  document_->warnings_.push_back(document_->place(table_at(table_).get(key)) + "warning: " + path_ + std::string(key) +
                                 ": " + what);
}

void Table::wrong(std::string_view key, const char* expected) { error(key, std::string("must be ") + expected); }

bool Table::has(std::string_view key) const { return table_at(table_).contains(key); }

void Table::text(std::string_view key, std::string& into) {
  asked_.emplace_back(key);
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<std::string>()) {
    into = *value;
  } else {
    wrong(key, "a text");
  }
}

void Table::boolean(std::string_view key, bool& into) {
  asked_.emplace_back(key);
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<bool>()) {
    into = *value;
  } else {
    wrong(key, "true or false");
  }
}

void Table::number(std::string_view key, int64_t& into, int64_t lowest, int64_t highest) {
  asked_.emplace_back(key);
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return;
  const auto value = node->value_exact<int64_t>();
  if (value && *value >= lowest && *value <= highest) {
    into = *value;
  } else {
    const std::string range = "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
    wrong(key, range.c_str());
  }
}

void Table::texts(std::string_view key, std::vector<std::string>& into) {
  asked_.emplace_back(key);
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return;
  into.clear();
  if (const auto one = node->value_exact<std::string>()) {
    into.push_back(*one);
    return;
  }
  const toml::array* list = node->as_array();
  if (list == nullptr) return wrong(key, "a list of texts");
  for (const toml::node& item : *list) {
    const auto value = item.value_exact<std::string>();
    if (!value) return wrong(key, "a list of texts");
    into.push_back(*value);
  }
}

void Table::text_map(std::string_view key, std::map<std::string, std::string>& into) {
  asked_.emplace_back(key);
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return;
  const toml::table* map = node->as_table();
  if (map == nullptr) return wrong(key, "a table of texts, as in { zone = \"a\" }");
  into.clear();
  for (const auto& [name, item] : *map) {
    const auto value = item.value_exact<std::string>();
    if (!value) return wrong(key, "a table of texts, as in { zone = \"a\" }");
    into[std::string(name.str())] = *value;
  }
}

std::vector<Table> Table::tables(std::string_view key) {
  asked_.emplace_back(key);
  std::vector<Table> out;
  const toml::node* node = table_at(table_).get(key);
  if (node == nullptr) return out;
  const toml::array* list = node->as_array();
  const std::string expected = "tables, as in [[" + std::string(key) + "]]";
  if (list == nullptr) {
    wrong(key, expected.c_str());
    return out;
  }
  for (const toml::node& item : *list) {
    if (const toml::table* table = item.as_table()) {
      out.push_back(Table(*document_, table, path_ + std::string(key) + "."));
    } else {
      wrong(key, expected.c_str());
    }
  }
  return out;
}

void Table::finish() {
  for (const auto& [key, value] : table_at(table_)) {
    const std::string_view name = key.str();
    if (std::ranges::find(asked_, name) != asked_.end()) continue;
    std::string what = "unknown key";
    if (!asked_.empty()) {
      const auto& nearest =
          *std::ranges::min_element(asked_, {}, [&](const auto& each) { return distance(name, each); });
      if (distance(name, nearest) <= 2) what += "; did you mean " + nearest + "?";
    }
    error(name, what);
  }
}

Result<int64_t> milliseconds_of(std::string_view text) {
  const auto refuse = [&] { return fail("a time is as in 72h, 90s or 500ms, not \"" + std::string(text) + "\""); };
  struct Unit {
    std::string_view name;
    int64_t size;
  };
  // "ms" before "m".
  constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 3'600'000 / 2;
  std::string_view rest = text;
  if (rest == "0") return 0;
  if (rest.empty()) return refuse();
  int64_t sum = 0;
  while (!rest.empty()) {
    int64_t count = 0;
    const auto [end, wrong] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (wrong != std::errc{} || count < 0 || count > kMost) return refuse();
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    const auto* const unit =
        std::ranges::find_if(kUnits, [&](const Unit& each) { return rest.starts_with(each.name); });
    if (unit == std::end(kUnits)) return refuse();
    rest.remove_prefix(unit->name.size());
    sum += count * unit->size;
    if (sum > kMost) return refuse();
  }
  return sum;
}

}  // namespace overlord::settings
