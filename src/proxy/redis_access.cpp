// Who a redis client is and what it may do: AUTH, the users' rules before each command, ACL.

#include "access/redis_check.h"
#include "protocol/redis/acl_names.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;

bool RedisSession::log_in(std::string_view user, std::string_view password) {
  if (const access::User* who = authenticate(user, password)) {
    user_ = who;
    return true;
  }
  answer_late("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  return false;
}

void RedisSession::local_auth() {
  if (parser_->argc() > 3) return error("ERR syntax error");
  const bool with_user = parser_->argc() == 3;
  if (!with_user && !cluster_.config().users.default_user().needs_password()) {
    return error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  if (log_in(with_user ? parser_->arg(1) : access::kDefaultUser, parser_->arg(with_user ? 2 : 1))) {
    answer_static("+OK\r\n");
  }
}

bool RedisSession::permitted(const Command& command) {
  const std::string why = access::refusal(*user_, command, *parser_);
  if (why.empty()) return true;
  cluster_.counters().refused_calls.add();
  error(why);
  return false;
}

bool RedisSession::surely_permitted(const Command& command, std::string_view key) const {
  return user_ != nullptr && access::surely_allowed(*user_, command, key);
}

void RedisSession::local_acl(const Command& command) {
  const std::string_view sub = command.name.substr(command.name.find('|') + 1);
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
  } else if (sub == "cat") {
    return local_acl_cat();
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
  if (parser_->argc() > 3) return error("ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.");
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

}  // namespace overlord::proxy
