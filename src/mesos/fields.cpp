#include "mesos/fields.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace overlord::mesos {

const Fields::Json* Fields::find(const Json& in, const char* name) {
  if (!in.is_object()) {
    good_ = false;
    return nullptr;
  }
  const auto at = in.find(name);
  return at == in.end() || at->is_null() ? nullptr : &*at;
}

std::string Fields::text(const Json& in, const char* name) {
  const Json* const field = find(in, name);
  if (field == nullptr) return {};
  if (field->is_string()) return field->get<std::string>();
  good_ = false;
  return {};
}

std::string Fields::id(const Json& in, const char* name) {
  const Json* const field = find(in, name);
  return field == nullptr ? std::string() : text(*field, "value");
}

std::string Fields::bytes(const Json& in, const char* name) {
  auto decoded = from_base64(text(in, name));
  if (!decoded) good_ = false;
  return std::move(decoded).value_or(std::string());
}

double Fields::number(const Json& in, const char* name) {
  const Json* const field = find(in, name);
  if (field == nullptr) return 0;
  const double value = field->is_number() ? field->get<double>() : NAN;
  if (std::isfinite(value)) return value;
  good_ = false;
  return 0;
}

std::optional<bool> Fields::yes(const Json& in, const char* name) {
  const Json* const field = find(in, name);
  if (field == nullptr) return std::nullopt;
  if (field->is_boolean()) return field->get<bool>();
  good_ = false;
  return std::nullopt;
}

void Fields::each(const Json& in, const char* name, const std::function<void(const Json&)>& use) {
  const Json* const field = find(in, name);
  if (field == nullptr) return;
  if (!field->is_array()) {
    good_ = false;
    return;
  }
  for (const Json& item : *field) {
    if (!good_) return;
    use(item);
  }
}

std::optional<nlohmann::json> parse_object(std::string_view text) {
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace overlord::mesos
