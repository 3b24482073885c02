#include "api/paging.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace overlord::api {
namespace {

constexpr size_t kPage = 1000;

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// As text for the cursor: numbers in 20 digits, so that they order as texts do.
std::string position(const Json& item, std::string_view key) {
  if (item.is_string()) return item.get<std::string>();
  const auto found = item.find(key);
  if (found == item.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  const std::string digits = found->dump();
  return std::string(20 - std::min<size_t>(20, digits.size()), '0') + digits;
}

const Field* find(std::span<const Field> fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

void check_parameter(const std::string& name, const std::string& value, const Call& call, Problems& problems) {
  const Field* field = find(call.route.query, name);
  if (field == nullptr && call.route.list) field = find(kPagingFields, name);
  if (field == nullptr) return problems.add(name.substr(0, 64), "no such parameter here");
  if (field->type == FieldType::integer) {
    const auto number = number_of(value);
    if (!number || *number < field->lowest || *number > field->highest) {
      problems.add(name, "must be a whole number from " + std::to_string(field->lowest) + " to " +
                             std::to_string(field->highest));
    }
  } else if (field->type == FieldType::boolean) {
    if (value != "0" && value != "1" && value != "true" && value != "false") problems.add(name, "must be 0 or 1");
  } else if (!field->words.empty()) {
    const std::string words = "," + std::string(field->words) + ",";
    if (value.contains(',') || !words.contains("," + value + ",")) {
      problems.add(name, "must be one of " + std::string(field->words));
    }
  }
}

}  // namespace

Result<void> check_query(const Call& call) {
  Problems problems;
  for (const auto& [name, value] : call.request.query) check_parameter(name, value, call, problems);
  if (!call.request.parameter("cursor").empty()) {
    if (!call.request.parameter("pn").empty()) problems.add("cursor", "stands in place of pn");
    if (!call.request.parameter("sort").empty())
      problems.add("cursor", "goes with the list's own order, not with sort");
  }
  if (!problems.none()) return problems.refusal();
  return {};
}

bool asked_for(const Call& call, std::string_view parameter, std::string_view value) {
  const std::string_view wanted = call.request.parameter(parameter);
  return wanted.empty() || wanted == value;
}

Result<http::Response> list_response(const Call& call, std::vector<Json> items, std::string_view key) {
  const std::string_view cursor = call.request.parameter("cursor");
  std::string_view sort = call.request.parameter("sort");
  std::ranges::stable_sort(items, {}, [&](const Json& item) { return position(item, key); });
  if (!sort.empty()) {
    const bool down = sort.starts_with('-');
    if (down) sort.remove_prefix(1);
    const bool known = items.empty() || (items.front().contains(sort) && !items.front().find(sort)->is_structured());
    if (!known) {
      Problems problems;
      problems.add("sort", "the items have no field " + std::string(sort.substr(0, 64)) + " to sort by");
      return problems.refusal();
    }
    std::ranges::stable_sort(items, [&](const Json& a, const Json& b) {
      return down ? *b.find(sort) < *a.find(sort) : *a.find(sort) < *b.find(sort);
    });
  }
  const size_t size = static_cast<size_t>(number_of(call.request.parameter("pc")).value_or(kPage));
  const auto number = static_cast<size_t>(number_of(call.request.parameter("pn")).value_or(1));
  size_t begin = std::min(items.size(), (number - 1) * size);
  if (!cursor.empty()) {
    const auto after =
        std::ranges::upper_bound(items, std::string(cursor), {}, [&](const Json& item) { return position(item, key); });
    begin = static_cast<size_t>(after - items.begin());
  }
  const size_t end = std::min(items.size(), begin + size);
  Json page = Json::array();
  for (size_t i = begin; i < end; ++i) page.push_back(std::move(items[i]));
  Json document{{"count", items.size()}};
  const bool more = end < items.size() && end > begin && sort.empty();
  const std::string next = more ? position(page.back(), key) : "";
  document["items"] = std::move(page);
  if (more) document["next"] = next;
  return json_response(document);
}

}  // namespace overlord::api
