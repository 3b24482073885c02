#include "access/users.h"

#include <algorithm>

namespace overlord::access {
namespace {

std::string_view take_word(std::string_view& rest) {
  const size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
  rest.remove_prefix(begin);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace

Users::Users(std::vector<User> users, std::string_view default_password) {
  const auto mine = std::ranges::find(users, kDefaultUser, &User::name);
  if (mine != users.end()) {
    std::rotate(users.begin(), mine, mine + 1);
  } else if (users.empty() || !default_password.empty()) {
    users.insert(users.begin(), User::all_powerful(std::string(kDefaultUser), default_password));
  } else {
    users.insert(users.begin(), User(std::string(kDefaultUser)));
  }
  users_ = std::move(users);
  anonymous_ = users_[0].on() && !users_[0].needs_password();
  any_password_ = std::ranges::any_of(users_, &User::needs_password);
}

const User* Users::find(std::string_view name) const {
  const auto found = std::ranges::find(users_, name, &User::name);
  return found == users_.end() ? nullptr : &*found;
}

const User* Users::authenticate(std::string_view name, std::string_view secret) const {
  const User* user = find(name);
  if (user == nullptr) {
    (void)digest_of(secret.substr(0, kLongestPassword));
    return nullptr;
  }
  return user->password_is(secret) && user->on() ? user : nullptr;
}

Result<User> parse_user(std::string_view line) {
  std::string_view rest = line;
  std::string_view name = take_word(rest);
  if (name == "user") name = take_word(rest);
  if (name.empty()) return fail("no name; write NAME on #SHA256 ~* &* +@all");
  User user{std::string(name)};
  for (std::string_view rule = take_word(rest); !rule.empty(); rule = take_word(rest)) {
    if (auto applied = user.apply(rule); !applied) {
      // A password is never repeated in a message.
      const std::string shown =
          rule.front() == '>' || rule.front() == '#' ? std::string(1, rule.front()) + "..." : std::string(rule);
      return fail("user " + std::string(name) + ": rule " + shown + ": " + applied.error().message);
    }
  }
  return user;
}

bool has_plain_password(std::string_view line) {
  for (std::string_view rule = take_word(line); !rule.empty(); rule = take_word(line)) {
    if (rule.starts_with('>')) return true;
  }
  return false;
}

}  // namespace overlord::access
