#pragma once
// Users: all users of one cluster. Made when the configuration is read, never changed after.
//
// A user named "default" is who a client is before it says a name. Without one in the file it is made from `password`:
// with a password it needs that; without, it needs none; but a file that names users and neither a password nor a
// default user means that nobody gets in without a name.

#include <string>
#include <string_view>
#include <vector>

#include "access/user.h"

namespace overlord::access {

inline constexpr std::string_view kDefaultUser = "default";

class Users {
 public:
  Users() : Users({}, "") {}
  Users(std::vector<User> users, std::string_view default_password);

  // Who a new client is; null when it must say first.
  const User* anonymous() const { return anonymous_ ? &users_[0] : nullptr; }
  // The user when name and password are right and it is on; null otherwise. As slow for a name that is not there.
  const User* authenticate(std::string_view name, std::string_view secret) const;
  const User* find(std::string_view name) const;
  const User& default_user() const { return users_[0]; }
  const std::vector<User>& all() const { return users_; }  // the default user first
  // Some client must say a password.
  bool any_password() const { return any_password_; }

 private:
  std::vector<User> users_;
  bool anonymous_ = false;
  bool any_password_ = false;
};

// "[user ]NAME RULE RULE ...", as one line of an ACL file.
Result<User> parse_user(std::string_view line);
// Whether the line gives a password as it is.
bool has_plain_password(std::string_view line);

}  // namespace overlord::access
