// What a redis client takes along to another process.

#include "proxy/redis_session.h"

namespace overlord::proxy {

bool RedisSession::can_move() const {
  if (in_transaction() || (transaction_ != nullptr && (transaction_->watch.held() || transaction_->watch.broken()))) {
    return false;
  }
  if (blocked_ != nullptr && (blocked_->held() || blocked_->blocked())) return false;
  if (replica_wait_ != nullptr && replica_wait_->waiting()) return false;
  if (told_ != nullptr && told_->gathering != nullptr) return false;
  const bool waits_for_topics = subscriptions_ != nullptr && subscriptions_->command != nullptr;
  return !subscribed() && !waits_for_topics && scanner_ == nullptr && converter_ == nullptr;
}

void RedisSession::save(handover::ClientState& state) const {
  save_user(user_, state);
  state.protocol = protocol_;
  state.reply_mode = static_cast<uint8_t>(reply_mode_);
  state.born = born_;
  if (told_ == nullptr) return;
  state.name = told_->name;
  state.library_name = told_->library_name;
  state.library_version = told_->library_version;
  state.wants_moving = told_->wants_moving;
}

void RedisSession::restore(const handover::ClientState& state) {
  user_ = saved_user(state);
  protocol_ = state.protocol;
  reply_mode_ = static_cast<ReplyMode>(state.reply_mode);
  mute_ = reply_mode_ == ReplyMode::off || reply_mode_ == ReplyMode::skip_this;
  reply_shape_ = redis::ShapeId::resp2;
  born_ = state.born;
  if (state.name.empty() && state.library_name.empty() && state.library_version.empty() && !state.wants_moving) return;
  told().wants_moving = state.wants_moving;
  told().name = state.name;
  told().library_name = state.library_name;
  told().library_version = state.library_version;
}

}  // namespace overlord::proxy
