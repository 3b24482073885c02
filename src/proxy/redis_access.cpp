// Who a redis client is and what it may do: AUTH, the users' rules before each command.

#include <chrono>

#include "access/redis_check.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;

bool RedisSession::log_in(std::string_view user, std::string_view password) {
  if (const access::User* who = authenticate(user, password)) {
    user_ = who;
    return true;
  }
  note_denial("auth", parser_->arg(0), user);
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
  const access::Denial denial = access::check(*user_, command, *parser_);
  if (denial.reason == access::Denial::Reason::none) return true;
  cluster_.counters().refused_calls.add();
  note_denial(denial.word(), denial.object, user_->name());
  error(denial.error_text());
  return false;
}

// For ACL LOG.
void RedisSession::note_denial(std::string_view reason, std::string_view object, std::string_view user) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  cluster_.acl_log().note(reason, in_transaction() ? "multi" : "toplevel", object, user, id(),
                          std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                          [this] { return describe(); });
}

bool RedisSession::surely_permitted(const Command& command, std::string_view key) const {
  return user_ != nullptr && access::surely_allowed(*user_, command, key);
}

}  // namespace overlord::proxy
