#include "api/error.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace overlord::api {
namespace {

int status_of(std::string_view code) {
  for (const ErrorCode& known : kErrorCodes) {
    if (known.code == code) return known.status;
  }
  return 500;
}

}  // namespace

std::unexpected<ApiError> refuse(std::string_view code, std::string message) {
  return std::unexpected(ApiError{.status = status_of(code), .code = std::string(code), .message = std::move(message)});
}

ApiError error_of(const store::Error& error) {
  const auto made = [&](std::string_view code, int retry_after = 0) {
    return ApiError{.status = status_of(code),
                    .code = std::string(code),
                    .message = "store: " + error.message,
                    .retry_after = retry_after};
  };
  switch (error.trouble) {
    case store::Trouble::conflict: return made("conflict");
    case store::Trouble::uncertain: return made("uncertain");
    case store::Trouble::refused: return made("internal");
    default: return made("unavailable", 1);
  }
}

std::unexpected<ApiError> refuse(const store::Error& error) { return std::unexpected(error_of(error)); }

bool Problems::about(std::string_view field) const {
  return std::ranges::any_of(found_, [&](const FieldProblem& problem) { return problem.field == field; });
}

std::unexpected<ApiError> Problems::refusal() const {
  std::string text;
  for (const FieldProblem& problem : found_) {
    text.append(text.empty() ? "" : "; ").append(problem.field).append(": ").append(problem.message);
  }
  return std::unexpected(
      ApiError{.status = status_of("invalid"), .code = "invalid", .message = std::move(text), .fields = found_});
}

std::string error_body(const ApiError& error, std::string_view request_id) {
  nlohmann::ordered_json inner{{"code", error.code}, {"message", error.message}};
  if (!error.fields.empty()) {
    auto fields = nlohmann::ordered_json::array();
    for (const FieldProblem& problem : error.fields) {
      fields.push_back({{"field", problem.field}, {"message", problem.message}});
    }
    inner["fields"] = std::move(fields);
  }
  inner["request_id"] = request_id;
  return nlohmann::ordered_json{{"error", std::move(inner)}}.dump(-1, ' ', false,
                                                                  nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace overlord::api
