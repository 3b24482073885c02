// What a wrong password costs a client, whatever its protocol.

#include <algorithm>

#include "base/log.h"
#include "proxy/session.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

// A wrong password is answered after this, then after twice as long each time.
constexpr uint64_t kFirstDelay = 100'000'000;
constexpr uint64_t kLastDelay = 2'000'000'000;

}  // namespace

const access::User* Session::authenticate(std::string_view name, std::string_view password) {
  if (const access::User* who = cluster_.config().users.authenticate(name, password)) {
    if (rare_ != nullptr) rare_->penalty_delay = 0;
    return who;
  }
  cluster_.counters().refused_logins.add();
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", cluster_.config().name, ": wrong user name or password from ",
             net::to_string(remote_address()), turn.suffix());
  }
  return nullptr;
}

void Session::answer_late(std::string_view text) {
  Rare& mine = rare();
  if (mine.penalty_delay == 0) {
    mine.penalty_delay = kFirstDelay;
    mine.penalty.set(
        [](void* self) {
          auto& session = *static_cast<Session*>(self);
          // The session may have left in this turn, and the request with it.
          if (session.in_flight()) routing::finish(*session.rare_->late_answer);
        },
        this);
  }
  Request& request = new_request(Wire::none, Answer::reply);
  turn_.requests.set_reply(request, text);
  mine.late_answer = &request;
  turn_.loop.timers().arm(mine.penalty, turn_.now(), mine.penalty_delay);
  mine.penalty_delay = std::min(2 * mine.penalty_delay, kLastDelay);
  wait_for_answers();
}

}  // namespace overlord::proxy
