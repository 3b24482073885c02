#include "api/request_body.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/ascii.h"

namespace overlord::api {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 8;
constexpr size_t kMaxAudit = 2000;  // bytes
constexpr size_t kMaxProblems = 50;

std::string in_quotes(std::string_view text) {
  constexpr size_t kShown = 64;
  return "\"" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...\"" : "\"");
}

// Whether braces nest no deeper than a body needs, and no object has a name twice: what the parser would not tell.
class Shape : public nlohmann::json_sax<Json> {
 public:
  std::string trouble;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool key(string_t& name) override {
    if (names_.back().insert(name).second) return true;
    trouble = "the name " + in_quotes(name) + " stands twice in one object";
    return false;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    trouble = "no JSON, at byte " + std::to_string(position);
    return false;
  }

 private:
  bool enter() {
    names_.emplace_back();
    if (names_.size() <= kMaxDepth) return true;
    trouble = "nested too deeply";
    return false;
  }
  bool leave() {
    names_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> names_;
};

std::string_view type_text(FieldType type) {
  switch (type) {
    case FieldType::text: return "a text";
    case FieldType::integer: return "a whole number";
    case FieldType::number: return "a number";
    case FieldType::boolean: return "true or false";
    case FieldType::texts: return "an array of texts";
    case FieldType::text_map: return "an object whose values are texts";
    case FieldType::object: return "an object";
    default: return "something else";
  }
}

class Reader {
 public:
  Reader(Body& body, Problems& problems) : body_(body), problems_(problems) {}

  void object(const Json& object, const Schema& schema, const std::string& path) {
    for (const auto& [name, value] : object.items()) {
      const Field* const field = find(schema, name);
      if (field == nullptr) {
        add(path + name.substr(0, 64), unknown(schema, name));
      } else if (!value.is_null()) {  // null is the same as not there
        read(value, *field, path + name);
      }
    }
    for (const Field& field : schema.fields) {
      const auto found = object.find(field.name);
      if (field.required && (found == object.end() || found->is_null())) {
        add(path + std::string(field.name), "is required: " + std::string(field.what));
      }
    }
  }

 private:
  static const Field* find(const Schema& schema, std::string_view name) {
    const auto found = std::ranges::find(schema.fields, name, &Field::name);
    return found == schema.fields.end() ? nullptr : &*found;
  }

  static std::string unknown(const Schema& schema, std::string_view) {
    std::string names;
    for (const Field& field : schema.fields) names.append(names.empty() ? "" : ", ").append(field.name);
    return names.empty() ? "this request has no body" : "no such field; there are " + names;
  }

  void add(std::string field, std::string message) {
    if (problems_.found().size() < kMaxProblems) problems_.add(std::move(field), std::move(message));
  }

  void read(const Json& value, const Field& field, const std::string& name) {
    switch (field.type) {
      case FieldType::text:
        if (value.is_string()) return text(value.get_ref<const std::string&>(), field, name);
        break;
      case FieldType::integer:
      case FieldType::number:
        if (value.is_number()) return number(value, field, name);
        break;
      case FieldType::boolean:
        if (value.is_boolean()) return body_.set(name, value.get<bool>());
        break;
      case FieldType::texts:
        if (value.is_array()) return texts(value, field, name);
        break;
      case FieldType::text_map:
        if (value.is_object()) return text_map(value, field, name);
        break;
      case FieldType::object:
        if (value.is_object()) return object(value, *field.schema, name + ".");
        break;
      default: break;
    }
    add(name, "must be " + std::string(type_text(field.type)));
  }

  void text(const std::string& value, const Field& field, const std::string& name) {
    if (value.size() > kMaxText) return add(name, "longer than " + std::to_string(kMaxText) + " bytes");
    if (value.contains('\0')) return add(name, "must not have a zero byte in it");
    if (!field.words.empty() && !one_of(field.words, value)) {
      return add(name, in_quotes(value) + " is none of " + std::string(field.words));
    }
    body_.set(name, value);
  }

  static bool one_of(std::string_view words, std::string_view value) {
    for (size_t begin = 0; begin <= words.size();) {
      const size_t end = std::min(words.find(',', begin), words.size());
      if (words.substr(begin, end - begin) == value) return true;
      begin = end + 1;
    }
    return false;
  }

  void number(const Json& value, const Field& field, const std::string& name) {
    const double real = value.get<double>();
    const bool whole = value.is_number_integer() || (std::isfinite(real) && std::trunc(real) == real);
    if (field.type == FieldType::integer && !whole) return add(name, "must be a whole number");
    // Also what is too large for an integer is out of range here.
    constexpr double kMost = 9.0e15;
    const bool bounded = field.lowest != field.highest;
    const double lowest = bounded ? static_cast<double>(field.lowest) : -kMost;
    const double highest = bounded ? static_cast<double>(field.highest) : kMost;
    if (!(real >= lowest && real <= highest)) {
      return add(name, "must be from " + std::to_string(static_cast<int64_t>(lowest)) + " to " +
                           std::to_string(static_cast<int64_t>(highest)));
    }
    if (field.type == FieldType::integer) return body_.set(name, static_cast<int64_t>(real));
    body_.set(name, real);
  }

  void texts(const Json& value, const Field&, const std::string& name) {
    if (value.size() > kMaxItems) return add(name, "more than " + std::to_string(kMaxItems) + " of them");
    std::vector<std::string> out;
    for (const Json& item : value) {
      if (!item.is_string() || item.get_ref<const std::string&>().size() > kMaxText) {
        return add(name, "must be an array of texts");
      }
      out.push_back(item.get<std::string>());
    }
    body_.set(name, std::move(out));
  }

  void text_map(const Json& value, const Field&, const std::string& name) {
    if (value.size() > kMaxItems) return add(name, "more than " + std::to_string(kMaxItems) + " of them");
    std::map<std::string, std::string> out;
    for (const auto& [key, item] : value.items()) {
      if (item.is_string() && item.get_ref<const std::string&>().size() <= kMaxText) {
        out[key] = item.get<std::string>();
      } else if (item.is_number_integer()) {  // "maxclients": 100 is what people write
        out[key] = item.dump();
      } else {
        add(name + "." + key.substr(0, 64), "must be a text");
      }
    }
    body_.set(name, std::move(out));
  }

  Body& body_;
  Problems& problems_;
};

std::optional<unsigned char> hex_byte(std::string_view two) {
  unsigned char value = 0;
  const auto [end, wrong] = std::from_chars(two.data(), two.data() + two.size(), value, 16);
  if (two.size() != 2 || wrong != std::errc{} || end != two.data() + 2) return std::nullopt;
  return value;
}

std::optional<std::string> form_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto byte = hex_byte(text.substr(i + 1, 2));
      if (!byte) return std::nullopt;
      out.push_back(static_cast<char>(*byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

Result<Json> parse_form(std::string_view text) {
  Json object = Json::object();
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = form_decoded(pair.substr(0, equals));
    const auto value = form_decoded(equals < pair.size() ? pair.substr(equals + 1) : std::string_view());
    if (!name || !value) return refuse("bad_request", "the form is not encoded as it should be");
    if (object.contains(*name)) return refuse("bad_request", "the form has " + in_quotes(*name) + " twice");
    object[*name] = *value;
  }
  return object;
}

Result<Json> parse_json(std::string_view text) {
  Shape shape;
  if (!Json::sax_parse(text, &shape)) {
    return refuse("bad_request", "the body: " + (shape.trouble.empty() ? "no JSON" : shape.trouble));
  }
  Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return refuse("bad_request", "the body must be a JSON object");
  return document;
}

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// curl says "form" of all that it is not told otherwise of, so braces count more.
bool is_form(std::string_view text, std::string_view type) {
  return !text.starts_with('{') && lower_case(std::string(type)).starts_with("application/x-www-form-urlencoded");
}

std::string text_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

void strip_secrets(Json& value) {
  if (!value.is_structured()) return;
  for (auto& [name, item] : value.items()) {
    if (name == "password" || name == "token" || name == "requirepass" || name == "masterauth") {
      item = "***";
    } else {
      strip_secrets(item);
    }
  }
}

}  // namespace

Result<Body> read_body(std::string_view text, std::string_view type, const Schema& schema) {
  if (text.size() > kMaxBody) {
    return refuse("too_large", "the body has more than " + std::to_string(kMaxBody) + " bytes");
  }
  Result<Json> document = Json::object();
  if (!blank(text)) document = is_form(text, type) ? parse_form(text) : parse_json(text);
  if (!document) return std::unexpected(document.error());
  Body body;
  Problems problems;
  Reader(body, problems).object(*document, schema, "");
  if (!problems.none()) return problems.refusal();
  return body;
}

std::string body_for_audit(std::string_view text, std::string_view type) {
  if (text.size() > kMaxBody || blank(text)) return {};
  auto document = is_form(text, type) ? parse_form(text) : parse_json(text);
  if (!document) return {};
  strip_secrets(*document);
  std::string out = text_of(*document);
  if (out.size() > kMaxAudit) out = text_of(Json{{"cut", out.substr(0, kMaxAudit)}});
  return out;
}

}  // namespace overlord::api
