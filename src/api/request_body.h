#pragma once
// The body of a request as values that its schema allows: strict, and with all problems at once.
//
// JSON: an object; unknown fields, doubled ones, wrong types, values out of range and missing fields are problems. Nested
// objects appear with a dot in their name: "proxy.dial_timeout". A form (application/x-www-form-urlencoded) may stand in
// place of JSON where all fields are texts, as the Go platform's /job/ and /commands/ had it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/error.h"
#include "api/schema.h"

namespace overlord::api {

class Body {
 public:
  using Value =
      std::variant<std::string, int64_t, double, bool, std::vector<std::string>, std::map<std::string, std::string>>;

  bool has(std::string_view name) const { return values_.contains(name); }
  bool empty() const { return values_.empty(); }
  // Null: it was not given.
  template <typename T>
  const T* get(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : std::get_if<T>(&found->second);
  }
  std::string text(std::string_view name) const { return value_or(name, std::string()); }
  int64_t integer(std::string_view name, int64_t otherwise = 0) const { return value_or(name, otherwise); }
  double number(std::string_view name, double otherwise = 0) const { return value_or(name, otherwise); }
  bool boolean(std::string_view name, bool otherwise = false) const { return value_or(name, otherwise); }
  std::vector<std::string> texts(std::string_view name) const { return value_or(name, std::vector<std::string>()); }

  void set(std::string name, Value value) { values_.insert_or_assign(std::move(name), std::move(value)); }

 private:
  template <typename T>
  T value_or(std::string_view name, const T& otherwise) const {
    const T* found = get<T>(name);
    return found == nullptr ? otherwise : *found;
  }

  std::map<std::string, Value, std::less<>> values_;
};

// type: of the header Content-Type; empty counts as JSON. An empty body is an empty object.
Result<Body> read_body(std::string_view text, std::string_view type, const Schema& schema);

// The body once more as JSON, for the audit: what is secret ("password", "token") is left out, long texts are cut.
std::string body_for_audit(std::string_view text, std::string_view type);

}  // namespace overlord::api
