// Giver: the clients that go over, and what happens when they cannot.

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "proxy/giver.h"

namespace overlord::proxy {

using handover::Channel;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

const std::string kAll;    // clusters together
constexpr int kTick = 10;  // ms
constexpr milliseconds kRemainingTick{50};
// Before the deadline, what is left may answer what it has in flight, and closes.
constexpr milliseconds kLastMoments{500};
// Clients that are on their way at the deadline have this to arrive.
constexpr milliseconds kArrival{2000};

}  // namespace

void Giver::Arrivals::add(MovingClient client) {
  const std::lock_guard lock(mutex);
  clients.push_back(std::move(client));
  (void)::eventfd_write(wake.get(), 1);
}

bool Giver::move_clients() {
  arrivals_->wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  // The workers wait for `go` as well: what the other process does not know it cannot take.
  while (!out_.empty()) {
    if (!send_packed()) return false;
  }
  proxy_.begin_moving([arrivals = arrivals_](MovingClient client) { arrivals->add(std::move(client)); });
  const milliseconds grace = proxy_.configuration().process->stop_timeout;
  const auto deadline = steady_clock::now() + grace;
  const auto drain_at = deadline - std::min(grace / 4, kLastMoments);
  auto tell_at = steady_clock::now() + kRemainingTick;
  for (bool drained = false;;) {
    std::array<pollfd, 2> wait{
        {{.fd = channel_.fd(), .events = static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), .revents = 0},
         {.fd = arrivals_->wake.get(), .events = POLLIN, .revents = 0}}};
    ::poll(wait.data(), wait.size(), kTick);
    eventfd_t ignored = 0;
    (void)::eventfd_read(arrivals_->wake.get(), &ignored);
    pack_arrived();
    if (!send_packed() || !hear()) return false;
    const auto now = steady_clock::now();
    if (now >= tell_at) {
      tell_remaining();
      tell_at = now + kRemainingTick;
    }
    const uint32_t left = proxy_.clients();
    if (left == 0) break;
    if (now >= drain_at && !std::exchange(drained, true)) proxy_.drain_clients();
    const bool travelling = !under_way_.empty() && now < deadline + kArrival;
    if ((now >= deadline || stop_.load()) && !travelling) break;
  }
  const uint32_t closed = proxy_.clients();
  const uint64_t gone = moved_ + closed;
  const uint64_t drained = first_count_ > gone ? first_count_ - gone : 0;
  board_.change([&](UpgradeStatus& status) {
    status.state = UpgradeStatus::State::done;
    status.remaining = 0;
    status.moved = moved_;
    status.drained = drained;
    status.closed = closed;
    status.ended = steady_clock::now();
  });
  log_info("upgrade: ", moved_, " clients moved, ", drained, " left or were idle, ", closed,
           " are closed at the deadline");
  (void)channel_.send(handover::encode(handover::Done{.moved = moved_, .drained = drained, .closed = closed}));
  return true;
}

void Giver::pack_arrived() {
  std::vector<MovingClient> arrived;
  {
    const std::lock_guard lock(arrivals_->mutex);
    arrived.swap(arrivals_->clients);
  }
  for (MovingClient& client : arrived) {
    const uint64_t number = next_number_++;
    std::string_view input = client.state.input;
    for (; !input.empty(); input.remove_prefix(std::min(input.size(), handover::Input::kMost))) {
      out_.push_back(
          {handover::encode(handover::Input{.bytes = std::string(input.substr(0, handover::Input::kMost))}), 0});
    }
    out_.push_back(
        {handover::encode(handover::Client{.number = number, .state = handover::encode(client.state)}), number});
    under_way_.emplace(number, std::move(client));
  }
}

bool Giver::send_packed() {
  while (!out_.empty()) {
    const Outgoing& next = out_.front();
    const auto client = under_way_.find(next.client);
    const bool has_client = next.client != 0 && client != under_way_.end();
    switch (channel_.try_send(next.bytes, has_client ? client->second.fd.get() : -1)) {
      case Channel::Sent::broken: return false;
      case Channel::Sent::later: return true;
      case Channel::Sent::all: break;
    }
    if (has_client) {
      ++sent_[client->second.state.cluster];
      ++sent_[kAll];
    }
    out_.pop_front();
  }
  return true;
}

bool Giver::hear() {
  for (;;) {
    pollfd ready{.fd = channel_.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 0) <= 0) return true;
    auto packet = channel_.receive(milliseconds(0));
    if (!packet || packet->bytes.empty()) return false;
    handover::Taken taken;
    handover::Refused refused;
    handover::Failed failed;
    if (handover::decode(packet->bytes, taken)) {
      hear_of_client(taken.number, true, {});
    } else if (handover::decode(packet->bytes, refused)) {
      hear_of_client(refused.number, false, refused.reason);
    } else if (handover::decode(packet->bytes, failed)) {
      log_warn("upgrade: ", failed.reason, "; this process stops too");
      ::kill(::getpid(), SIGTERM);
      stop_.store(true);
      return true;
    } else {
      log_error("upgrade: the new process says what nobody expects");
      return false;
    }
  }
}

void Giver::hear_of_client(uint64_t number, bool taken, const std::string& reason) {
  const auto found = under_way_.find(number);
  if (found == under_way_.end()) return;
  MovingClient client = std::move(found->second);
  under_way_.erase(found);
  --sent_[client.state.cluster];
  --sent_[kAll];
  if (taken) {
    ++moved_;
    board_.counters.clients_out.add();
    proxy_.leave_places(client.state.cluster, 1);
    return proxy_.leave_places({}, 1);
  }
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) log_warn("upgrade: a client cannot move: ", reason, turn.suffix());
  client.state.stays = true;
  proxy_.adopt(std::move(client));
}

// The new process has gone: everything that it had not said it has is served here again.
void Giver::take_back() {
  (void)hear();  // what it said before that
  channel_.close();
  if (!proxy_.stop_moving()) log_error("upgrade: a worker does not turn; its clients may be lost");
  out_.clear();
  pack_arrived();
  const size_t back = under_way_.size();
  for (auto& [number, client] : under_way_) proxy_.adopt(std::move(client));
  under_way_.clear();
  out_.clear();
  proxy_.open_doors();
  hooks_.let_admins_in(true);
  hooks_.let_takers_in(true);
  hooks_.tell_main_pid(::getpid());
  log_warn("upgrade: doors open again; ", back, " clients came back, ", moved_, " went with the new process");
}

}  // namespace overlord::proxy
