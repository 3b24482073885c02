// Users, tokens, logging in, and the audit.

#include <nlohmann/json.hpp>

#include "api/auth.h"
#include "api/change.h"
#include "api/paging.h"
#include "api/secrets.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr size_t kShortestPassword = 8;
constexpr size_t kLongestPassword = 512;
constexpr int64_t kLoginSeconds = 12 * 3600;
constexpr int64_t kMostSeconds = 10LL * 366 * 24 * 3600;
constexpr int64_t kMs = 1000;

constexpr Field kUserCreateFields[] = {
    {.name = "name", .what = "1 to 64 letters, digits, '_', '-' and '.'.", .required = true},
    {.name = "access", .what = "How far it reaches.", .required = true, .words = "viewer,operator,admin"},
    {.name = "password", .what = "8 to 512 bytes; without one nobody can log in as this user."},
};
constexpr Schema kUserCreateSchema{"UserCreate", kUserCreateFields};
constexpr Field kUserChangeFields[] = {
    {.name = "access", .words = "viewer,operator,admin"},
    {.name = "password", .what = "8 to 512 bytes; empty: no login any more."},
};
constexpr Schema kUserChangeSchema{"UserChange", kUserChangeFields};
constexpr Field kTokenFields[] = {
    {.name = "id", .what = "To delete it by.", .required = true},
    {.name = "user", .required = true},
    {.name = "access", .required = true, .words = "viewer,operator,admin"},
    {.name = "note", .required = true},
    {.name = "created", .required = true},
    {.name = "ends", .what = "Empty: never.", .required = true},
};
constexpr Schema kTokenSchema{"Token", kTokenFields};
constexpr Field kTokenCreateFields[] = {
    {.name = "user", .what = "Whose it is; your own unless said, others for admins alone."},
    {.name = "access", .what = "At most that of the user; the same unless said.", .words = "viewer,operator,admin"},
    {.name = "note", .what = "What it is for."},
    {.name = "seconds",
     .type = FieldType::integer,
     .what = "How long it holds; for ever unless said.",
     .lowest = 1,
     .highest = kMostSeconds},
};
constexpr Schema kTokenCreateSchema{"TokenCreate", kTokenCreateFields};
constexpr Field kNewTokenFields[] = {
    {.name = "token", .what = "Shown this once.", .required = true},
    {.name = "id", .required = true},
    {.name = "user", .required = true},
    {.name = "access", .required = true},
    {.name = "ends", .required = true},
};
constexpr Schema kNewTokenSchema{"NewToken", kNewTokenFields};
constexpr Field kLoginFields[] = {
    {.name = "user", .required = true},
    {.name = "password", .required = true},
};
constexpr Schema kLoginSchema{"Login", kLoginFields};
constexpr Field kMeFields[] = {
    {.name = "user", .required = true},
    {.name = "access", .required = true, .words = "viewer,operator,admin"},
};
constexpr Schema kMeSchema{"Me", kMeFields};
constexpr Field kAuditQuery[] = {
    {.name = "user"},
    {.name = "target", .what = "A part of it."},
    {.name = "request_id"},
};

void check_password(const Body& body, Problems& problems) {
  if (!body.has("password") || body.text("password").empty()) return;
  const size_t size = body.text("password").size();
  if (size < kShortestPassword || size > kLongestPassword) problems.add("password", "must have 8 to 512 bytes");
}

Result<std::string> hash_of(const Body& body) {
  const std::string password = body.text("password");
  if (password.empty()) return std::string();
  std::string hash = hash_password(password);
  if (hash.empty()) return refuse("internal", "the password cannot be hashed");
  return hash;
}

Result<http::Response> list_users(Call& call) {
  const auto users = read_all<model::User>(call.store(), keys::kUsers);
  if (!users) return std::unexpected(users.error());
  std::vector<Json> items;
  for (const auto& user : *users) items.push_back(view(user.record));
  return list_response(call, std::move(items), "name");
}

Result<http::Response> create_user(Call& call) {
  const std::string name = call.body.text("name");
  Problems problems;
  if (!model::valid_name(name)) problems.add("name", "must be 1 to 64 letters, digits, '_', '-' and '.'");
  check_password(call.body, problems);
  if (!problems.none()) return problems.refusal();
  call.target = "user " + name;
  const auto hash = hash_of(call.body);
  if (!hash) return std::unexpected(hash.error());
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const std::string key = keys::of(keys::kUsers, name);
    const auto known = draft.read<model::User>(key);
    if (!known) return std::unexpected(known.error());
    if (*known) return conflict("there is a user " + name + " already");
    const model::User user{.name = name,
                           .access = *model::access(call.body.text("access")),
                           .password_hash = *hash,
                           .created = model::now()};
    draft.put(key, model::to_json(user));
    return json_response(view(user));
  });
}

Result<Stored<model::User>> user_to_change(Draft& draft, const Call& call) {
  const std::string name = call.capture("user");
  if (!model::valid_name(name)) return not_found("there is no such user");
  auto user = draft.read<model::User>(keys::of(keys::kUsers, name));
  if (!user) return std::unexpected(user.error());
  if (!*user) return not_found("there is no user " + name);
  return std::move(**user);
}

// Somebody must remain who can let others in.
Result<void> check_admin_remains(Draft& draft, const std::string& but) {
  const auto users = read_all<model::User>(draft.store(), keys::kUsers);
  if (!users) return std::unexpected(users.error());
  for (const auto& user : *users) {
    if (user.record.name == but || user.record.access != model::Access::admin) continue;
    draft.conditions.push_back(store::modified_at(user.key, user.revision));
    return {};
  }
  return conflict("user " + but + " is the only admin");
}

Result<http::Response> change_user(Call& call) {
  call.target = "user " + call.capture("user").substr(0, 64);
  Problems problems;
  check_password(call.body, problems);
  if (!problems.none()) return problems.refusal();
  const auto hash = hash_of(call.body);
  if (!hash) return std::unexpected(hash.error());
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto user = user_to_change(draft, call);
    if (!user) return std::unexpected(user.error());
    const auto access = model::access(call.body.text("access"));
    if (access && *access != model::Access::admin && user->record.access == model::Access::admin) {
      if (auto remains = check_admin_remains(draft, user->record.name); !remains) {
        return std::unexpected(remains.error());
      }
    }
    if (access) user->record.access = *access;
    if (call.body.has("password")) user->record.password_hash = *hash;
    draft.put(user->key, model::to_json(user->record));
    return json_response(view(user->record));
  });
}

Result<http::Response> delete_user(Call& call) {
  call.target = "user " + call.capture("user").substr(0, 64);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto user = user_to_change(draft, call);
    if (!user) return std::unexpected(user.error());
    if (user->record.access == model::Access::admin) {
      if (auto remains = check_admin_remains(draft, user->record.name); !remains) {
        return std::unexpected(remains.error());
      }
    }
    // Its tokens are worth nothing without it; as many as fit go along.
    const auto tokens = read_all<model::Token>(draft.store(), keys::kTokens);
    if (!tokens) return std::unexpected(tokens.error());
    constexpr size_t kMostTokens = 100;
    for (const auto& token : *tokens) {
      if (token.record.user == user->record.name && draft.changes.size() < kMostTokens) draft.remove(token.key);
    }
    draft.remove(user->key);
    return done();
  });
}

std::string token_id(std::string_view key) { return std::string(below(key, keys::kTokens).substr(0, 16)); }

Json token_view(const Stored<model::Token>& token) {
  return {{"id", token_id(token.key)},
          {"user", token.record.user},
          {"access", to_string(token.record.access)},
          {"note", token.record.note},
          {"created", model::to_text(token.record.created)},
          {"ends", model::to_text(token.record.ends)}};
}

bool sees_all(const Call& call) { return call.who.access == model::Access::admin; }

Result<http::Response> list_tokens(Call& call) {
  const auto tokens = read_all<model::Token>(call.store(), keys::kTokens);
  if (!tokens) return std::unexpected(tokens.error());
  std::vector<Json> items;
  for (const auto& token : *tokens) {
    if (sees_all(call) || token.record.user == call.who.user) items.push_back(token_view(token));
  }
  return list_response(call, std::move(items), "id");
}

Json new_token_view(const std::string& text, const model::Token& token) {
  return {{"token", text},
          {"id", token_id(token_key(text))},
          {"user", token.user},
          {"access", to_string(token.access)},
          {"ends", model::to_text(token.ends)}};
}

// A token for a user that exists.
Result<Json> put_token(Draft& draft, const model::User& user, model::Access access, const std::string& note,
                       int64_t seconds) {
  const std::string text = new_token();
  if (text.empty()) return refuse("internal", "the kernel gives no random bytes");
  model::Token token{.user = user.name, .access = std::min(access, user.access), .note = note, .created = model::now()};
  if (seconds > 0) token.ends = token.created + seconds * kMs;
  draft.put(token_key(text), model::to_json(token));
  return new_token_view(text, token);
}

Result<http::Response> create_token(Call& call) {
  const std::string name = call.body.has("user") ? call.body.text("user") : call.who.user;
  call.target = "token of " + name.substr(0, 64);
  if (name != call.who.user && !sees_all(call)) return refuse("forbidden", "only admins make tokens for others");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const bool valid = model::valid_name(name);
    const auto user = valid ? draft.read<model::User>(keys::of(keys::kUsers, name))
                            : Result<std::optional<Stored<model::User>>>(std::nullopt);
    if (!user) return std::unexpected(user.error());
    if (!*user) return not_found("there is no user " + name.substr(0, 64));
    // Nobody makes one that reaches further than the one he came with.
    auto access = model::access(call.body.text("access")).value_or((*user)->record.access);
    if (!sees_all(call)) access = std::min(access, call.who.access);
    auto made =
        put_token(draft, (*user)->record, access, call.body.text("note").substr(0, 200), call.body.integer("seconds"));
    if (!made) return std::unexpected(made.error());
    return json_response(*made);
  });
}

Result<http::Response> delete_token(Call& call) {
  const std::string id = call.capture("id");
  call.target = "token " + id.substr(0, 64);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto tokens = read_all<model::Token>(draft.store(), keys::kTokens);
    if (!tokens) return std::unexpected(tokens.error());
    for (const auto& token : *tokens) {
      if (token_id(token.key) != id || (!sees_all(call) && token.record.user != call.who.user)) continue;
      draft.conditions.push_back(store::modified_at(token.key, token.revision));
      draft.remove(token.key);
      return done();
    }
    return not_found("there is no token " + id.substr(0, 64));
  });
}

Result<http::Response> login(Call& call) {
  const std::string name = call.body.text("user");
  call.target = "user " + name.substr(0, 64);
  const auto now = std::chrono::steady_clock::now();
  if (const auto wait = call.service.logins.wait(name, call.request.peer, now); wait.count() > 0) {
    return std::unexpected(ApiError{.status = 429,
                                    .code = "too_many_requests",
                                    .message = "too many logins failed; try again later",
                                    .retry_after = static_cast<int>(wait.count())});
  }
  const bool valid = model::valid_name(name) && call.body.text("password").size() <= kLongestPassword;
  const auto user = valid ? read<model::User>(call.store(), keys::of(keys::kUsers, name))
                          : Result<std::optional<Stored<model::User>>>(std::nullopt);
  if (!user) return std::unexpected(user.error());
  const std::string hash = *user ? (*user)->record.password_hash : "";
  if (!password_matches(call.body.text("password").substr(0, kLongestPassword), hash)) {
    call.service.logins.failed(name, call.request.peer, now);
    call.service.counters.logins_failed.fetch_add(1, std::memory_order_relaxed);
    return refuse("unauthorized", "user and password do not belong together");
  }
  call.who = {name, (*user)->record.access, {}};
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    draft.conditions.push_back(store::modified_at((*user)->key, (*user)->revision));
    auto made = put_token(draft, (*user)->record, (*user)->record.access, "login", kLoginSeconds);
    if (!made) return std::unexpected(made.error());
    return json_response(*made);
  });
}

Result<http::Response> logout(Call& call) {
  call.target = "token of " + call.who.user;
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    draft.remove(call.who.token_key);
    return done();
  });
}

Result<http::Response> me(Call& call) {
  return json_response({{"user", call.who.user}, {"access", to_string(call.who.access)}});
}

Result<http::Response> audit(Call& call) {
  const auto records = read_all<model::AuditRecord>(call.store(), keys::kAudit);
  if (!records) return std::unexpected(records.error());
  std::vector<Json> items;
  for (const auto& [record, key, revision] : *records) {
    if (asked_for(call, "user", record.user) && record.target.contains(call.request.parameter("target")) &&
        asked_for(call, "request_id", record.request_id)) {
      items.push_back(view(record));
    }
  }
  return list_response(call, std::move(items), "number");
}

constexpr Route kRoutes[] = {
    {.method = "POST",
     .path = "/api/v1/login",
     .what = "A token for a user and its password; it holds for 12 hours.",
     .need = Need::nothing,
     .handler = login,
     .body = &kLoginSchema,
     .answer = &kNewTokenSchema},
    {.method = "POST",
     .path = "/api/v1/logout",
     .what = "Ends the token that it comes with.",
     .handler = logout,
     .answer = &kDoneSchema},
    {.method = "GET", .path = "/api/v1/me", .what = "Whose token it comes with.", .handler = me, .answer = &kMeSchema},
    {.method = "GET",
     .path = "/api/v1/users",
     .what = "All users.",
     .need = Need::admin,
     .handler = list_users,
     .answer = &kUserSchema,
     .list = true},
    {.method = "POST",
     .path = "/api/v1/users",
     .what = "Makes a user.",
     .need = Need::admin,
     .handler = create_user,
     .body = &kUserCreateSchema,
     .answer = &kUserSchema},
    {.method = "PATCH",
     .path = "/api/v1/users/{user}",
     .what = "Changes the access or the password of a user.",
     .need = Need::admin,
     .handler = change_user,
     .body = &kUserChangeSchema,
     .answer = &kUserSchema},
    {.method = "DELETE",
     .path = "/api/v1/users/{user}",
     .what = "Deletes a user, with its tokens.",
     .need = Need::admin,
     .handler = delete_user,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/tokens",
     .what = "Your tokens; for admins those of all.",
     .handler = list_tokens,
     .answer = &kTokenSchema,
     .list = true},
    {.method = "POST",
     .path = "/api/v1/tokens",
     .what = "Makes a token.",
     .handler = create_token,
     .body = &kTokenCreateSchema,
     .answer = &kNewTokenSchema},
    {.method = "DELETE",
     .path = "/api/v1/tokens/{id}",
     .what = "Ends a token.",
     .handler = delete_token,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/audit",
     .what = "Who did what, and what was refused.",
     .need = Need::admin,
     .handler = audit,
     .answer = &kAuditSchema,
     .list = true,
     .query = kAuditQuery},
};

}  // namespace

std::span<const Route> people_routes() { return kRoutes; }

}  // namespace overlord::api
