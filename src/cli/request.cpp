#include "cli/request.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "http/client.h"

namespace overlord::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<Json> one_value(const Field& field, const std::string& text) {
  const auto wrong = [&](const char* expected) {
    return fail(std::string(field.name) + " " + text + ": expected " + expected);
  };
  switch (field.kind) {
    case Kind::integer: {
      int64_t number = 0;
      const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return wrong("a whole number");
      return Json(number);
    }
    case Kind::boolean:
      if (text != "true" && text != "false") return wrong("true or false");
      return Json(text == "true");
    default: return Json(text);
  }
}

Result<Json> value_of(const Field& field, const std::vector<std::string>& given) {
  if (field.kind == Kind::list) {
    Json list = Json::array();
    for (const std::string& each : given) list.push_back(each);
    return list;
  }
  if (field.kind == Kind::map) {
    Json map = Json::object();
    for (const std::string& each : given) {
      const size_t equals = each.find('=');
      if (equals == 0 || equals == std::string::npos) {
        return fail(std::string(field.name) + " " + each + ": expected NAME=VALUE");
      }
      map[each.substr(0, equals)] = each.substr(equals + 1);
    }
    return map;
  }
  return one_value(field, given.back());
}

// "proxy.dial_timeout" goes into the object "proxy".
void put(Json& body, std::string_view path, Json value) {
  const size_t dot = path.find('.');
  Json& place = body[std::string(path.substr(0, dot))];
  if (dot == std::string_view::npos) {
    place = std::move(value);
  } else {
    put(place, path.substr(dot + 1), std::move(value));
  }
}

std::string query_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Result<Request> request_of(const Command& command, const Values& values) {
  Request request{std::string(command.method), std::string(command.path), {}};
  const bool has_body = command.method != "GET";
  Json body = Json::object();
  std::string query;
  const auto add = [&](const Field& field) -> Result<void> {
    const auto given = values.find(field.field);
    if (given == values.end() || given->second.empty()) {
      if (field.required) return fail(std::string(field.name) + " is missing: " + std::string(field.what));
      return {};
    }
    auto value = value_of(field, given->second);
    if (!value) return std::unexpected(value.error());
    const std::string part = "{" + std::string(field.field) + "}";
    if (const size_t at = request.target.find(part); at != std::string::npos) {
      request.target.replace(at, part.size(), http::encoded(query_text(*value)));
    } else if (has_body && !field.in_query) {
      put(body, field.field, std::move(*value));
    } else {
      query += (query.empty() ? "?" : "&") + std::string(field.field) + "=" + http::encoded(query_text(*value));
    }
    return {};
  };
  for (const Field& field : command.arguments) {
    if (const auto added = add(field); !added) return std::unexpected(added.error());
  }
  for (const Field& field : command.flags) {
    if (const auto added = add(field); !added) return std::unexpected(added.error());
  }
  request.target += query;
  if (has_body && !body.empty()) request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return request;
}

}  // namespace overlord::cli
