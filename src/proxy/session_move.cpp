// A session's client goes on in another process (docs/architecture.md, Upgrade), or comes from one.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/log.h"
#include "net/socket.h"
#include "proxy/session.h"

namespace overlord::proxy {

using handover::ClientState;

namespace {

// A client whose connection cannot move is closed when it was silent for so long: then no request is on its way.
constexpr uint64_t kQuiet = 200'000'000;
// Of a message that is not whole; one that is larger is waited for.
constexpr size_t kMostKept = 1U << 20;

std::string bytes_of(const net::SocketAddress& address) {
  return {reinterpret_cast<const char*>(&address.storage), address.length};
}

// To a client that asked for it by CLIENT MAINT_NOTIFICATIONS ON and whose connection cannot move: that it is to connect
// anew, to the same address (the null at the end), within so many seconds. As redis-py, Jedis, Lettuce, go-redis and
// node-redis read it: https://redis.io/docs/latest/develop/clients/sch/. The number tells one upgrade from another.
std::string moving_push(const Cluster& cluster) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(cluster.process().stop_timeout).count();
  return ">4\r\n$6\r\nMOVING\r\n:" + std::to_string(::getpid()) + "\r\n:" + std::to_string(seconds) + "\r\n_\r\n";
}

net::SocketAddress address_of(std::string_view bytes) {
  net::SocketAddress address;
  address.length = static_cast<socklen_t>(std::min(bytes.size(), sizeof address.storage));
  std::memcpy(&address.storage, bytes.data(), address.length);
  return address;
}

}  // namespace

std::optional<MovingClient> Session::move_on() {
  if (life_ != Life::open || ended_ || doomed_) return std::nullopt;
  const bool encrypted = stream_.layer != nullptr;
  ClientState known;
  if ((encrypted || staying_) && !stays_ && head_ == nullptr) save(known);
  if (known.wants_moving && known.protocol == 3) {
    stays_ = true;
    stream_.out.append(turn_.chunks(), moving_push(cluster_));
    turn_.loop.flush(stream_);
    return std::nullopt;
  }
  if (encrypted || stays_) {
    const bool was_told = encrypted && stays_;  // it leaves by itself
    if (head_ == nullptr && kept_bytes() == 0 && idle_ns() >= kQuiet && !staying_ && !was_told) drain();
    return std::nullopt;
  }
  const bool greeted = rare_ == nullptr || rare_->header == nullptr || rare_->header->finished();
  if (!greeted || uploading_ || listening_ || staying_ || kept_bytes() > kMostKept || !can_move()) {
    stay_here();
    return std::nullopt;
  }
  if (!moving_) {
    moving_ = true;
    stop_reading();
    return std::nullopt;
  }
  if (head_ != nullptr || unsent() > 0 || stream_.notify_drained) return std::nullopt;
  auto released = turn_.loop.try_release(stream_);
  if (!released) return std::nullopt;

  MovingClient client{.state = {}, .fd = std::move(released->fd)};
  ClientState& state = client.state;
  state.cluster = cluster_.name();
  state.cache_type = static_cast<uint8_t>(cluster_.config().cache_type);
  state.id = id_;
  state.last_active = last_active_;
  state.reply_estimate = reply_estimate_;
  if (rare_ != nullptr) state.penalty_delay = rare_->penalty_delay;
  if (const net::ProxyHeader* told = told_addresses()) {
    state.addresses_told = true;
    state.source = bytes_of(told->source);
    state.destination = bytes_of(told->destination);
  }
  save(state);
  if (kept_bytes() > 0) state.input.assign(partial_.data + partial_done_, kept_bytes());
  state.input.append(released->received);
  moved_ = true;
  leave();
  return client;
}

void Session::stay_here() {
  if (!moving_) return;
  moving_ = false;
  turn_.sessions.add(*this);
}

void Session::go_on(const ClientState& state, net::UniqueFd fd) {
  last_active_ = std::min(state.last_active, turn_.now());
  reply_estimate_ = state.reply_estimate;
  // A driver may have made it blocking; this one makes of it what it needs.
  net::make_non_blocking(fd.get());
  if (state.addresses_told) {
    rare().header = std::make_unique<net::ProxyHeaderReader>(turn_.loop, 0);
    rare().header->restore(
        {.tells = true, .source = address_of(state.source), .destination = address_of(state.destination)});
  }
  stays_ = state.stays;
  restore(state);
  turn_.loop.adopt(stream_, std::move(fd), *this);
  if (const uint64_t tick = cluster_.client_tick()) turn_.loop.timers().arm(rare().timeouts, turn_.now(), tick);
  if (!state.input.empty()) {
    turn_.note_input();
    keep_partial(state.input);
    process_partial();
    if (life_ == Life::open && must_wait()) stop_reading();
  }
  if (life_ != Life::dead) turn_.sessions.add(*this);
  if (log_debug_enabled(1)) [[unlikely]] {
    log_debug(1, "cluster ", cluster_.config().name, ": client ", id_, " goes on here");
  }
}

void Session::save_user(const access::User* user, ClientState& state) const {
  using User = ClientState::User;
  const bool usual = user == &cluster_.config().users.default_user();
  state.user = static_cast<uint8_t>(user == nullptr ? User::none : usual ? User::usual : User::named);
  if (user != nullptr && !usual) state.user_name = user->name();
}

const access::User* Session::saved_user(const ClientState& state) const {
  const access::Users& users = cluster_.config().users;
  switch (static_cast<ClientState::User>(state.user)) {
    case ClientState::User::none: return nullptr;
    case ClientState::User::usual: return &users.default_user();
    case ClientState::User::named: return users.find(state.user_name);
  }
  return nullptr;
}

}  // namespace overlord::proxy
