// ACL: what the proxy's users are and may do, and whom it has refused. Users are made by the configuration only.

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "access/redis_check.h"
#include "protocol/redis/acl_names.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;

namespace {

constexpr int64_t kMostPasswordBits = 4096;
constexpr int64_t kUsualPasswordBits = 256;
constexpr size_t kShownDenials = 10;

std::string wrong_use(std::string_view sub) {
  return "ERR unknown subcommand or wrong number of arguments for '" + std::string(sub) + "'. Try ACL HELP.";
}

}  // namespace

void RedisSession::local_acl(const Command& command) {
  const std::string_view sub = command.name.substr(command.name.find('|') + 1);
  if (sub == "cat") return local_acl_cat();
  if (sub == "dryrun") return local_acl_dryrun();
  if (sub == "genpass") return local_acl_genpass();
  if (sub == "getuser") return local_acl_getuser();
  if (sub == "log") return local_acl_log();
  const access::Users& users = cluster_.config().users;
  std::string& out = cluster_.scratch();
  out.clear();
  if (sub == "whoami") {
    redis::append_bulk(out, user_->name());
  } else if (sub == "users") {
    redis::append_array_header(out, users.all().size());
    for (const access::User& user : users.all()) redis::append_bulk(out, user.name());
  } else if (sub == "list") {
    redis::append_array_header(out, users.all().size());
    for (const access::User& user : users.all()) redis::append_bulk(out, user.describe());
  } else {
    return refuse(command);
  }
  answer(out);
}

void RedisSession::local_acl_cat() {
  std::string& out = cluster_.scratch();
  out.clear();
  if (parser_->argc() == 2) {
    redis::append_array_header(out, redis::kAclNames.size());
    for (const std::string_view name : redis::kAclNames) redis::append_bulk(out, name.substr(1));
    return answer(out);
  }
  if (parser_->argc() > 3) return error(wrong_use(parser_->arg(1)));
  const uint32_t category = redis::acl_category(parser_->arg(2));
  if (category == 0) return error("ERR Unknown category '" + std::string(parser_->arg(2)) + "'");
  std::vector<std::string_view> names;
  for (const Command& command : redis::all_commands()) {
    if ((command.acl & category) != 0) names.push_back(command.name);
    for (const Command& sub : command.subcommands) {
      if ((sub.acl & category) != 0) names.push_back(sub.name);
    }
  }
  redis::append_array_header(out, names.size());
  for (const std::string_view name : names) redis::append_bulk(out, name);
  answer(out);
}

void RedisSession::local_acl_getuser() {
  const access::User* const user = cluster_.config().users.find(parser_->arg(2));
  if (user == nullptr) return answer_static("$-1\r\n");
  std::string& out = cluster_.scratch();
  out.clear();
  redis::append_array_header(out, 12);
  redis::append_bulk(out, "flags");
  const bool no_password = !user->needs_password();
  redis::append_array_header(out, no_password ? 2 : 1);
  redis::append_bulk(out, user->on() ? "on" : "off");
  if (no_password) redis::append_bulk(out, "nopass");
  redis::append_bulk(out, "passwords");
  const std::vector<std::string> passwords = user->password_texts();
  redis::append_array_header(out, passwords.size());
  for (const std::string& digest : passwords) redis::append_bulk(out, digest);
  redis::append_bulk(out, "commands");
  redis::append_bulk(out, user->commands_text());
  redis::append_bulk(out, "keys");
  redis::append_bulk(out, user->keys_text());
  redis::append_bulk(out, "channels");
  redis::append_bulk(out, user->channels_text());
  redis::append_bulk(out, "selectors");
  redis::append_array_header(out, 0);
  answer(out);
}

void RedisSession::local_acl_genpass() {
  if (parser_->argc() > 3) return error(wrong_use(parser_->arg(1)));
  int64_t bits = kUsualPasswordBits;
  if (parser_->argc() == 3) {
    if (!redis::parse_number(parser_->arg(2), bits)) return error("ERR value is not an integer or out of range");
    if (bits <= 0 || bits > kMostPasswordBits) {
      return error(
          "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
    }
  }
  std::array<unsigned char, kMostPasswordBits / 8> random;
  const auto digits = static_cast<size_t>((bits + 3) / 4);
  if (RAND_bytes(random.data(), static_cast<int>((digits + 1) / 2)) != 1) return error("ERR no random numbers");
  std::string password;
  for (size_t i = 0; i < digits; ++i) password += "0123456789abcdef"[random[i / 2] >> (i % 2 * 4) & 15];
  std::string& out = cluster_.scratch();
  out.clear();
  redis::append_bulk(out, password);
  answer(out);
}

// ACL DRYRUN user command [argument ...]
void RedisSession::local_acl_dryrun() {
  const access::User* const user = cluster_.config().users.find(parser_->arg(2));
  if (user == nullptr) return error("ERR User '" + std::string(parser_->arg(2)) + "' not found");
  std::string wire;
  redis::append_array_header(wire, parser_->argc() - 3);
  wire.append(parser_->wire().substr(parser_->arg_header_offset(3)));
  redis::RequestParser call;
  if (call.parse(wire) != redis::ParseStatus::complete) return error(wrong_use(parser_->arg(1)));
  redis::Resolved resolved = redis::resolve_command(call);
  if (resolved.status != redis::Resolved::Status::ok) resolved = cluster_.learned().resolve(resolved, call);
  switch (resolved.status) {
    case redis::Resolved::Status::ok: break;
    case redis::Resolved::Status::wrong_arity: return error(redis::wrong_arity_error(resolved.command->name));
    default: return error("ERR Command '" + std::string(call.arg(0)) + "' not found");
  }
  const access::Denial denial = access::check(*user, *resolved.command, call);
  if (denial.reason == access::Denial::Reason::none) return answer_static("+OK\r\n");
  std::string& out = cluster_.scratch();
  out.clear();
  redis::append_bulk(out, denial.dry_run_text());
  answer(out);
}

// Every worker has noted what it refused.
void RedisSession::local_acl_log() {
  if (parser_->argc() > 3) return error(wrong_use(parser_->arg(1)));
  auto query = std::make_shared<ClientQuery>();
  query->act = ClientQuery::Act::denials;
  query->most = kShownDenials;
  if (parser_->argc() == 3) {
    int64_t most = 0;
    if (redis::equals_upper(parser_->arg(2), "RESET")) {
      query->act = ClientQuery::Act::forget_denials;
    } else if (!redis::parse_number(parser_->arg(2), most)) {
      return error("ERR value is not an integer or out of range");
    }
    query->most = static_cast<size_t>(std::max<int64_t>(most, 0));
  }
  gather(std::move(query), false);
}

}  // namespace overlord::proxy
