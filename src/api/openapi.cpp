#include "api/openapi.h"

#include <map>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "api/paging.h"
#include "api/views.h"
#include "base/ascii.h"

namespace overlord::api {
namespace {

// Schemas that were referred to, by name.
class Components {
 public:
  Json reference(const Schema& schema) {
    if (!known_.contains(schema.name)) {
      known_.emplace(std::string(schema.name), Json());  // first, for schemas that name themselves
      Json made = object(schema);
      known_.find(schema.name)->second = std::move(made);
    }
    return {{"$ref", "#/components/schemas/" + std::string(schema.name)}};
  }

  Json field(const Field& field) {
    Json out = type_of(field);
    if (field.lowest != field.highest) {
      out["minimum"] = field.lowest;
      out["maximum"] = field.highest;
    }
    if (!field.words.empty()) {
      Json words = Json::array();
      for (std::string_view rest = field.words; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        words.push_back(word);
      }
      out["enum"] = std::move(words);
    }
    if (!field.what.empty() && !out.contains("$ref")) out["description"] = field.what;
    return out;
  }

  Json all() const {
    Json out = Json::object();
    for (const auto& [name, schema] : known_) out[name] = schema;
    return out;
  }

 private:
  Json type_of(const Field& field) {
    switch (field.type) {
      case FieldType::text: return {{"type", "string"}};
      case FieldType::integer: return {{"type", "integer"}};
      case FieldType::number: return {{"type", "number"}};
      case FieldType::boolean: return {{"type", "boolean"}};
      case FieldType::texts: return {{"type", "array"}, {"items", {{"type", "string"}}}};
      case FieldType::text_map: return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
      case FieldType::object: return reference(*field.schema);
      case FieldType::objects: return {{"type", "array"}, {"items", reference(*field.schema)}};
      default: return Json::object();
    }
  }

  Json object(const Schema& schema) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Field& one : schema.fields) {
      properties[std::string(one.name)] = field(one);
      if (one.required) required.push_back(one.name);
    }
    Json out{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) out["required"] = std::move(required);
    return out;
  }

  std::map<std::string, Json, std::less<>> known_;
};

constexpr Field kErrorFieldFields[] = {
    {.name = "field", .required = true},
    {.name = "message", .required = true},
};
constexpr Schema kErrorFieldSchema{"FieldError", kErrorFieldFields};
constexpr Field kErrorInnerFields[] = {
    {.name = "code", .what = "For programs.", .required = true},
    {.name = "message", .what = "For people.", .required = true},
    {.name = "fields", .type = FieldType::objects, .what = "All that are wrong.", .schema = &kErrorFieldSchema},
    {.name = "request_id", .required = true},
};
constexpr Schema kErrorInnerSchema{"ErrorInner", kErrorInnerFields};
constexpr Field kErrorFields[] = {
    {.name = "error", .type = FieldType::object, .required = true, .schema = &kErrorInnerSchema}};
constexpr Schema kErrorSchema{"Error", kErrorFields};

Json json_content(Json schema) { return {{"application/json", {{"schema", std::move(schema)}}}}; }

Json answer_of(const Route& route, Components& components) {
  if (route.list) {
    Json item = route.answer == nullptr ? Json::object() : components.reference(*route.answer);
    Json items{{"type", "array"}, {"items", std::move(item)}};
    Json properties{{"count", {{"type", "integer"}}}, {"items", std::move(items)}, {"next", {{"type", "string"}}}};
    return json_content(
        {{"type", "object"}, {"properties", std::move(properties)}, {"required", Json::array({"count", "items"})}});
  }
  if (route.answer != nullptr) return json_content(components.reference(*route.answer));
  return {{"*/*", {{"schema", Json::object()}}}};
}

Json parameters_of(const Route& route, Components& components) {
  Json out = Json::array();
  for (std::string_view rest = route.path; rest.contains('{');) {
    rest.remove_prefix(rest.find('{') + 1);
    out.push_back({{"name", rest.substr(0, rest.find('}'))},
                   {"in", "path"},
                   {"required", true},
                   {"schema", {{"type", "string"}}}});
  }
  const auto add = [&](std::span<const Field> fields) {
    for (const Field& field : fields) {
      Json schema = components.field(field);
      schema.erase("description");
      out.push_back(
          {{"name", field.name}, {"in", "query"}, {"description", field.what}, {"schema", std::move(schema)}});
    }
  };
  add(route.query);
  if (route.list) add(kPagingFields);
  return out;
}

std::string_view need_text(Need need) {
  switch (need) {
    case Need::nothing: return "Open to everybody.";
    case Need::viewer: return "For viewers.";
    case Need::operator_: return "For operators.";
    default: return "For admins.";
  }
}

Json operation_of(const Route& route, Components& components) {
  Json out{{"summary", route.what}, {"description", need_text(route.need)}};
  Json parameters = parameters_of(route, components);
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (route.body != nullptr) {
    out["requestBody"] = {{"required", true}, {"content", json_content(components.reference(*route.body))}};
  }
  Json responses{{std::to_string(route.status), {{"description", "Done."}, {"content", answer_of(route, components)}}}};
  responses["default"] = {{"description", "An error."}, {"content", json_content(components.reference(kErrorSchema))}};
  out["responses"] = std::move(responses);
  if (route.need == Need::nothing) {
    out["security"] = Json::array();
  } else {
    out["x-access"] = route.need == Need::viewer ? "viewer" : route.need == Need::operator_ ? "operator" : "admin";
  }
  return out;
}

std::string made() {
  Components components;
  Json paths = Json::object();
  for (const Route* route : all_routes()) {
    Json& path = paths[std::string(route->path)];
    if (path.is_null()) path = Json::object();
    path[lower_case(std::string(route->method))] = operation_of(*route, components);
  }
  Json codes = Json::object();
  for (const ErrorCode& code : kErrorCodes) {
    codes[std::string(code.code)] = {{"status", code.status}, {"meaning", code.meaning}};
  }
  const Json document{
      {"openapi", "3.0.3"},
      {"info", {{"title", "Overlord"}, {"version", OVERLORD_VERSION}, {"description", "The platform of caches."}}},
      {"security", Json::array({{{"token", Json::array()}}})},
      {"paths", std::move(paths)},
      {"components",
       {{"schemas", components.all()}, {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
      {"x-error-codes", std::move(codes)}};
  return text_of(document) + "\n";
}

}  // namespace

std::string openapi_document() {
  static const std::string document = made();
  return document;
}

}  // namespace overlord::api
