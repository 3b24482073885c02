#pragma once
// ApiError: why a request is not granted, as a client gets it:
//   {"error": {"code": "invalid", "message": "...", "fields": [{"field": "spec", "message": "..."}], "request_id": "..."}}
// The code is for programs and stays; the message is for people. All that is wrong with a request is told at once.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace overlord::api {

struct FieldProblem {
  std::string field;    // "spec", "proxy.dial_timeout"; of a query or path its name
  std::string message;  // what is wrong, and what would be right
};

struct ApiError {
  int status = 400;
  std::string code;
  std::string message;
  std::vector<FieldProblem> fields{};
  int retry_after = 0;  // seconds; 0: not said
};

template <typename T>
using Result = std::expected<T, ApiError>;

// The codes, in one place so that docs and OpenAPI name them all.
struct ErrorCode {
  std::string_view code;
  int status;
  std::string_view meaning;
};
inline constexpr ErrorCode kErrorCodes[] = {
    {"bad_request", 400, "The request cannot be read: its JSON, its form, its encoding."},
    {"invalid", 400, "Fields are missing, unknown or wrong; `fields` has all of them."},
    {"unauthorized", 401, "No token, or one that is not known or is over."},
    {"forbidden", 403, "The token's access does not reach that far."},
    {"not_found", 404, "There is no such thing, or no such path."},
    {"method_not_allowed", 405, "The path is right, the method is not; see the header Allow."},
    {"conflict", 409, "It exists already, or is in use, or its state does not allow it."},
    {"busy", 409, "Another job changes the cluster now; the message names it."},
    {"precondition_failed", 412, "It has changed since: the ETag in If-Match is not the present one."},
    {"too_large", 413, "The body is larger than the server takes."},
    {"too_many_requests", 429, "Too many logins failed; see the header Retry-After."},
    {"internal", 500, "A fault of the server; its log says more under the request's id."},
    {"bad_gateway", 502, "The node did not answer as it should."},
    {"unavailable", 503,
     "The store does not answer, or the server has too much to do; nothing was changed. Try again."},
    {"uncertain", 503, "The store gave no answer to a change: it may have been made. Look before trying again."},
    {"timeout", 504, "The node did not answer in time."},
};

std::unexpected<ApiError> refuse(std::string_view code, std::string message);
inline std::unexpected<ApiError> not_found(std::string message) { return refuse("not_found", std::move(message)); }
inline std::unexpected<ApiError> conflict(std::string message) { return refuse("conflict", std::move(message)); }
ApiError error_of(const store::Error& error);
std::unexpected<ApiError> refuse(const store::Error& error);

// Gathers what is wrong with a request.
class Problems {
 public:
  void add(std::string field, std::string message) { found_.push_back({std::move(field), std::move(message)}); }
  bool none() const { return found_.empty(); }
  const std::vector<FieldProblem>& found() const { return found_; }
  bool about(std::string_view field) const;
  // `invalid` with all of them.
  std::unexpected<ApiError> refusal() const;

 private:
  std::vector<FieldProblem> found_;
};

std::string error_body(const ApiError& error, std::string_view request_id);

}  // namespace overlord::api
