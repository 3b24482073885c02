#pragma once
// Who may do what, and who did.

#include <string>

#include "model/types.h"

namespace overlord::model {

enum class Access : uint8_t { viewer, operator_, admin };  // each may what those before it may
std::string_view to_string(Access access);                 // "viewer", "operator", "admin"
std::optional<Access> access(std::string_view text);

struct User {
  std::string name{};
  Access access = Access::viewer;
  std::string password_hash{};  // as crypt(3) makes it; empty: no login by password
  Moment created = 0;
  bool operator==(const User&) const = default;
};

// Kept by the SHA-256 of its text, which nobody but its holder knows.
struct Token {
  std::string user{};
  Access access = Access::viewer;
  std::string note{};
  Moment created = 0;
  Moment ends = 0;  // 0: never
  bool operator==(const Token&) const = default;
};

struct AuditRecord {
  uint64_t number = 0;
  Moment at = 0;
  std::string user{};
  std::string from{};  // address of the client
  std::string request_id{};
  std::string action{};  // "POST /api/v1/clusters"
  std::string target{};  // "cluster a"
  std::string detail{};  // JSON: what was asked for, without secrets
  int status = 0;        // of HTTP
  bool operator==(const AuditRecord&) const = default;
};

std::string to_json(const User& user);
std::string to_json(const Token& token);
std::string to_json(const AuditRecord& record);

}  // namespace overlord::model
