#include "proxy/taker.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace overlord::proxy {

using handover::Channel;
using handover::Kind;
using handover::Packet;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

const std::string kAll;  // clusters together
// How long the other process may take to answer.
constexpr milliseconds kPatience{30'000};
constexpr milliseconds kTick{200};
// The other process may still hand out an id or two to clients that are on their way between its workers.
constexpr uint64_t kIdGap = 10'000;

std::string reason_of(const Packet& packet) {
  if (packet.bytes.empty()) return "the running process has gone";
  handover::Refusal refusal;
  if (handover::decode(packet.bytes, refusal)) return "the running process refuses: " + refusal.reason;
  return "the running process says what nobody expects";
}

}  // namespace

std::string_view to_string(UpgradeStatus::State state) {
  switch (state) {
    case UpgradeStatus::State::none: return "none";
    case UpgradeStatus::State::starting: return "starting";
    case UpgradeStatus::State::moving: return "moving";
    case UpgradeStatus::State::done: return "done";
    case UpgradeStatus::State::failed: return "failed";
  }
  return {};
}

Taker::~Taker() { stop(); }

Result<std::unique_ptr<Taker>> Taker::begin(const std::string& from) {
  auto channel = Channel::open(from);
  if (!channel) return fail("-upgrade-from: " + channel.error().message);
  std::unique_ptr<Taker> taker(new Taker);
  taker->channel_ = std::move(*channel);
  if (auto asked = taker->ask(); !asked) return fail("-upgrade-from: " + asked.error().message);
  return taker;
}

Result<void> Taker::ask() {
  handover::Hello hello;
  hello.pid = static_cast<uint32_t>(::getpid());
  hello.program = OVERLORD_VERSION;
  if (!channel_.send(handover::encode(hello))) return fail("the running process has gone");
  for (bool welcomed = false;;) {
    auto packet = channel_.receive(kPatience);
    if (!packet) return std::unexpected(packet.error());
    handover::Listener listener;
    handover::AllListeners all;
    if (!welcomed) {
      welcomed = handover::decode(packet->bytes, welcome_);
      if (!welcomed) return fail(reason_of(*packet));
    } else if (handover::decode(packet->bytes, listener) && packet->fd.valid()) {
      HandedListener handed{.address = std::move(listener.address),
                            .one_socket = listener.one_socket,
                            .path = std::move(listener.path),
                            .fd = std::move(packet->fd)};
      using Role = handover::Listener::Role;
      switch (static_cast<Role>(listener.role)) {
        case Role::clients: listeners_.push_back(std::move(handed)); break;
        case Role::admin: admin_ = std::move(handed); break;
        case Role::upgrade: upgrade_ = std::move(handed); break;
      }
    } else if (handover::decode(packet->bytes, all)) {
      return {};
    } else {
      return fail(reason_of(*packet));
    }
  }
}

void Taker::give_up(const std::string& reason) {
  if (proxy_ != nullptr) return;  // too late
  (void)channel_.send(handover::encode(handover::Failed{.reason = reason}));
  channel_.close();
}

Result<void> Taker::take_over(Proxy& proxy, UpgradeBoard& board) {
  board_ = &board;
  board.begin({.state = UpgradeStatus::State::starting,
               .old_pid = static_cast<pid_t>(welcome_.pid),
               .new_pid = ::getpid(),
               .old_version = welcome_.program,
               .new_version = OVERLORD_VERSION,
               .began = steady_clock::now()});
  if (!channel_.send(handover::encode(handover::Ready{}))) log_warn("upgrade: the process before has gone");
  proxy_ = &proxy;
  if (auto go = wait_for_go(); !go) {
    proxy_ = nullptr;
    return go;
  }
  board.change([&](UpgradeStatus& status) {
    status.state = UpgradeStatus::State::moving;
    status.remaining = reserved_[kAll];
  });
  board.counters.taken_over.add();
  log_info("upgrade: took over from pid ", welcome_.pid, " (version ", welcome_.program, "), which has ",
           reserved_[kAll], " clients");
  proxy.open_doors();
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> Taker::wait_for_go() {
  for (;;) {
    auto packet = channel_.receive(kPatience);
    if (!packet) return std::unexpected(packet.error());
    if (packet->bytes.empty()) {
      log_warn("upgrade: the process before ended without a word");
      return {};
    }
    handover::Remaining remaining;
    handover::Go go;
    if (handover::decode(packet->bytes, remaining)) {
      set_reserved(remaining.cluster, remaining.clients);
    } else if (handover::decode(packet->bytes, go)) {
      proxy_->begin_client_ids_at(go.next_client_id + kIdGap);
      return {};
    } else {
      return fail(reason_of(*packet));
    }
  }
}

void Taker::run() {
  while (!stop_.load()) {
    auto packet = channel_.receive(kTick);
    if (packet ? !handle(std::move(*packet)) : !channel_.valid()) return;
  }
  (void)channel_.send(handover::encode(handover::Failed{.reason = "the new process was told to stop"}));
  finish({}, false);
}

void Taker::stop() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Taker::set_reserved(const std::string& cluster, uint32_t count) {
  uint32_t& now = reserved_[cluster];
  if (count > now) proxy_->reserve_places(cluster, count - now);
  if (count < now) proxy_->leave_places(cluster, now - count);
  now = count;
}

bool Taker::handle(Packet packet) {
  handover::Remaining remaining;
  handover::Input input;
  handover::Client client;
  handover::Done done;
  switch (handover::kind_of(packet.bytes)) {
    case Kind::remaining:
      if (!handover::decode(packet.bytes, remaining)) break;
      set_reserved(remaining.cluster, remaining.clients);
      if (remaining.cluster.empty()) {
        board_->change([&](UpgradeStatus& status) { status.remaining = remaining.clients; });
      }
      return true;
    case Kind::input:
      if (!handover::decode(packet.bytes, input)) break;
      input_.append(input.bytes);
      return true;
    case Kind::client:
      if (!handover::decode(packet.bytes, client) || !packet.fd.valid()) break;
      take_client(client, std::move(packet.fd));
      return true;
    case Kind::done:
      if (!handover::decode(packet.bytes, done)) break;
      finish(done, true);
      return false;
    default: break;
  }
  if (!packet.bytes.empty()) log_error("upgrade: the process before says what nobody expects; it is left alone");
  finish({}, false);
  return false;
}

void Taker::take_client(const handover::Client& message, net::UniqueFd fd) {
  auto state = handover::decode_client(message.state);
  std::string input = std::exchange(input_, std::string());
  if (state && input.size() > handover::ClientState::kMostInput) state = fail("it has sent too much");
  if (state) {
    if (auto may = proxy_->may_adopt(*state); !may) state = std::unexpected(may.error());
  }
  if (!state) {
    log_debug(1, "upgrade: a client stays with the process before: ", state.error().message);
    (void)channel_.send(handover::encode(handover::Refused{.number = message.number, .reason = state.error().message}));
    return;
  }
  state->input = std::move(input);
  // First the word, then the client: whom the other one has heard of it will never serve again.
  (void)channel_.send(handover::encode(handover::Taken{.number = message.number}));
  for (const std::string& place : {state->cluster, std::string()}) {
    uint32_t& reserved = reserved_[place];
    if (reserved == 0) {
      proxy_->reserve_places(place, 1);
    } else {
      --reserved;
    }
  }
  ++taken_;
  board_->counters.clients_in.add();
  board_->change([&](UpgradeStatus& status) { status.moved = taken_; });
  proxy_->adopt({.state = std::move(*state), .fd = std::move(fd)});
}

void Taker::finish(const handover::Done& done, bool said) {
  for (auto& [cluster, count] : reserved_) {
    if (count > 0) proxy_->leave_places(cluster, count);
    count = 0;
  }
  channel_.close();
  board_->change([&](UpgradeStatus& status) {
    status.state = UpgradeStatus::State::done;
    status.remaining = 0;
    status.moved = taken_;
    status.drained = done.drained;
    status.closed = done.closed;
    status.ended = steady_clock::now();
  });
  if (said) {
    log_info("upgrade: done; ", taken_, " clients moved, ", done.drained, " left or were idle, ", done.closed,
             " were closed at the deadline");
  } else {
    log_warn("upgrade: the process before ended without a word; ", taken_, " clients had moved");
  }
}

}  // namespace overlord::proxy
