#pragma once
// Reads fields of a JSON message of Mesos. A field that is not there has its default; one of another type spoils the
// whole message. Internal to this folder.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace overlord::mesos {

class Fields {
 public:
  using Json = nlohmann::json;

  bool good() const { return good_; }
  void spoil() { good_ = false; }

  // Nothing: not there.
  const Json* find(const Json& in, const char* name);
  std::string text(const Json& in, const char* name);
  // {"value": "..."}, as Mesos writes ids.
  std::string id(const Json& in, const char* name);
  // Base64, as Mesos writes bytes.
  std::string bytes(const Json& in, const char* name);
  double number(const Json& in, const char* name);
  std::optional<bool> yes(const Json& in, const char* name);
  void each(const Json& in, const char* name, const std::function<void(const Json&)>& use);

 private:
  bool good_ = true;
};

// Nothing: no JSON object.
std::optional<nlohmann::json> parse_object(std::string_view text);
std::string dump(const nlohmann::json& json);

}  // namespace overlord::mesos
