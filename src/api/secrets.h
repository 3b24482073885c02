#pragma once
// Secrets: tokens and passwords. Only hashes of either are kept.

#include <string>
#include <string_view>

namespace overlord::api {

// 64 hex digits.
std::string sha256_hex(std::string_view text);

// A new token: "ovl_" and 43 letters, digits, '-' and '_', 256 bits of the kernel's randomness. Empty: there is none.
std::string new_token();
// Letters and digits, 190 bits: a password for nodes.
std::string new_password();
// 32 hex digits.
std::string new_id();

// As crypt(3) keeps it, by yescrypt. Empty: it cannot be made.
std::string hash_password(const std::string& password);
// In a time that does not depend on how much is right. Takes as long for an empty hash, which nothing matches.
bool password_matches(const std::string& password, const std::string& hash);

}  // namespace overlord::api
