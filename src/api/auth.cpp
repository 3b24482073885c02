#include "api/auth.h"

#include <algorithm>

#include "api/secrets.h"
#include "base/ascii.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr size_t kMaxToken = 200;
constexpr const char* kFirstUser = "admin";

}  // namespace

std::string token_key(std::string_view text) { return keys::of(keys::kTokens, sha256_hex(text)); }

Result<Who> who_asks(store::Store& store, const http::Request& request) {
  const std::string_view header = request.header("authorization");
  if (header.empty()) return Who{};
  constexpr std::string_view kBearer = "bearer ";
  if (header.size() > kMaxToken || lower_case(std::string(header.substr(0, kBearer.size()))) != kBearer) {
    return refuse("unauthorized", "the header must be Authorization: Bearer TOKEN");
  }
  const std::string key = token_key(header.substr(kBearer.size()));
  const auto token = read<model::Token>(store, key);
  if (!token) return std::unexpected(token.error());
  if (!*token) return refuse("unauthorized", "this token is not known");
  const model::Token& record = (*token)->record;
  if (record.ends != 0 && record.ends <= model::now()) return refuse("unauthorized", "this token is over");
  if (!model::valid_name(record.user)) return refuse("internal", "the token's record names no user");
  const auto user = read<model::User>(store, keys::of(keys::kUsers, record.user));
  if (!user) return std::unexpected(user.error());
  if (!*user) return refuse("unauthorized", "the user of this token is no more");
  return Who{record.user, std::min(record.access, (*user)->record.access), key};
}

Result<std::string> make_first_user(store::Store& store) {
  const auto users = store.list(keys::kUsers, {.limit = 1});
  if (!users) return refuse(users.error());
  if (!users->records.empty()) return std::string();
  std::string text = new_token();
  if (text.empty()) return refuse("internal", "the kernel gives no random bytes");
  const model::Moment now = model::now();
  const std::string user_key = keys::of(keys::kUsers, kFirstUser);
  const model::User user{.name = kFirstUser, .access = model::Access::admin, .created = now};
  const model::Token token{.user = kFirstUser, .access = model::Access::admin, .note = "the first one", .created = now};
  const auto made = store.commit(
      {.conditions = {store::absent(user_key)},
       .changes = {store::put(user_key, model::to_json(user)), store::put(token_key(text), model::to_json(token))}});
  // Another server was first.
  if (!made && made.error().trouble == store::Trouble::conflict) return std::string();
  if (!made) return refuse(made.error());
  return text;
}

}  // namespace overlord::api
