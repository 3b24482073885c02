#include "proxy/giver.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/log.h"

namespace overlord::proxy {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// How long the new process may take to start, to connect and to say that it is ready.
constexpr milliseconds kStartPatience{60'000};
constexpr milliseconds kRound{100};
constexpr milliseconds kLastWord{2000};

}  // namespace

Giver::Giver(Proxy& proxy, UpgradeBoard& board, const UpgradeHooks& hooks, handover::Channel channel, pid_t child)
    : proxy_(proxy), board_(board), hooks_(hooks), channel_(std::move(channel)), child_(child) {
  thread_ = std::thread([this] { run(); });
}

Giver::~Giver() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Giver::run() {
  if (auto given = give(); !given) {
    const std::string reason = given.error().message;
    board_.counters.failed.add();
    log_error("upgrade failed, this process goes on: ", reason);
    board_.change([&](UpgradeStatus& status) {
      status.state = UpgradeStatus::State::failed;
      status.reason = reason;
      status.ended = steady_clock::now();
    });
  } else {
    hooks_.handed_over();
  }
}

Result<void> Giver::give() {
  struct Frozen {
    explicit Frozen(Proxy& frozen) : proxy(frozen) { proxy.freeze_reloads(true); }
    ~Frozen() { proxy.freeze_reloads(false); }
    Proxy& proxy;
  } const frozen(proxy_);
  auto ready = introduce();
  if (ready) ready = send_sockets();
  if (ready) ready = wait_until_ready();
  if (!ready) {
    (void)channel_.send(handover::encode(handover::Refusal{.reason = ready.error().message}));
    channel_.close();
    const std::string end = end_of_child();
    return fail(ready.error().message + (end.empty() ? "" : "; " + end));
  }
  if (!proxy_.close_doors()) {
    proxy_.open_doors();
    (void)channel_.send(handover::encode(handover::Refusal{.reason = "a worker does not turn"}));
    return fail("a worker of this process does not turn");
  }
  hooks_.let_admins_in(false);
  hooks_.let_takers_in(false);
  say_go();
  if (move_clients()) return {};
  take_back();
  const std::string end = end_of_child();
  return fail("the new process went away while clients moved to it" + (end.empty() ? "" : "; " + end));
}

Result<void> Giver::send(const std::string& message, int fd) {
  if (channel_.send(message, fd)) return {};
  return fail("the new process went away");
}

Result<std::string> Giver::receive(milliseconds limit) {
  for (const auto deadline = steady_clock::now() + limit; steady_clock::now() < deadline;) {
    if (stop_.load()) return fail("the proxy is stopping");
    auto packet = channel_.receive(kRound);
    if (!packet) continue;
    if (packet->bytes.empty()) return fail("the new process went away before it was ready");
    return std::move(packet->bytes);
  }
  return fail("the new process was not ready in " + std::to_string(limit.count() / 1000) + " s");
}

Result<void> Giver::introduce() {
  auto said = receive(kStartPatience);
  if (!said) return std::unexpected(said.error());
  if (!handover::decode(*said, hello_)) return fail("the new process says what nobody expects");
  board_.change([&](UpgradeStatus& status) {
    status.new_pid = static_cast<pid_t>(hello_.pid);
    status.new_version = hello_.program;
  });
  if (hello_.version != handover::kVersion) {
    return fail("version " + hello_.program + " hands over in another way than " OVERLORD_VERSION);
  }
  log_info("upgrade: pid ", hello_.pid, " (version ", hello_.program, ") takes over");
  return send(handover::encode(handover::Welcome{.pid = static_cast<uint32_t>(::getpid()),
                                                 .program = OVERLORD_VERSION,
                                                 .notify_address = hooks_.notify_address,
                                                 .watchdog_ns = hooks_.watchdog_ns}));
}

Result<void> Giver::send_sockets() {
  auto sockets = proxy_.listening();
  if (!sockets) return std::unexpected(sockets.error());
  using Role = handover::Listener::Role;
  const auto hand = [&](const HandedListener& one, Role role) {
    return send(handover::encode(handover::Listener{.role = static_cast<uint8_t>(role),
                                                    .address = one.address,
                                                    .one_socket = one.one_socket,
                                                    .path = one.path}),
                one.fd.get());
  };
  // One socket that all workers share is enough once.
  std::vector<std::string> shared;
  for (const HandedListener& one : *sockets) {
    if (one.one_socket && std::ranges::find(shared, one.address) != shared.end()) continue;
    if (one.one_socket) shared.push_back(one.address);
    if (auto sent = hand(one, Role::clients); !sent) return sent;
  }
  for (const auto& [get, role] :
       {std::pair(&hooks_.admin_socket, Role::admin), {&hooks_.upgrade_socket, Role::upgrade}}) {
    const HandedListener one = (*get)();
    if (!one.fd.valid()) continue;
    if (auto sent = hand(one, role); !sent) return sent;
  }
  return send(handover::encode(handover::AllListeners{}));
}

Result<void> Giver::wait_until_ready() {
  auto said = receive(kStartPatience);
  if (!said) return std::unexpected(said.error());
  handover::Failed failed;
  if (handover::decode(*said, failed)) return fail("the new process could not start: " + failed.reason);
  handover::Ready ready;
  if (!handover::decode(*said, ready)) return fail("the new process says what nobody expects");
  return {};
}

// Why a process that we started ended; it is ended when it does not by itself.
std::string Giver::end_of_child() {
  if (child_ == 0) return {};
  const pid_t child = std::exchange(child_, 0);
  int status = 0;
  for (const auto deadline = steady_clock::now() + kLastWord; ::waitpid(child, &status, WNOHANG) == 0;) {
    if (steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(5));
      continue;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return "it was killed, since it did not end";
  }
  if (WIFEXITED(status)) return "it exited with " + std::to_string(WEXITSTATUS(status));
  return "it ended by signal " + std::to_string(WTERMSIG(status));
}

void Giver::say_go() {
  first_count_ = proxy_.clients();
  log_info("upgrade: doors closed; ", first_count_, " clients move to pid ", hello_.pid);
  hooks_.tell_main_pid(static_cast<pid_t>(hello_.pid));
  clusters_ = {""};
  for (const auto& cluster : proxy_.configuration().clusters) clusters_.push_back(cluster->name);
  tell_remaining();
  out_.push_back({handover::encode(handover::Go{.next_client_id = proxy_.next_client_id()}), 0});
  board_.change([&](UpgradeStatus& status) { status.state = UpgradeStatus::State::moving; });
}

// Only what has changed. Clients that are under way are the other's already, in the order of the messages.
void Giver::tell_remaining() {
  for (const std::string& cluster : clusters_) {
    const uint32_t all = proxy_.clients_of(cluster);
    const uint32_t here = all - std::min(all, sent_[cluster]);
    const auto known = told_.find(cluster);
    if (known != told_.end() && known->second == here) continue;
    told_[cluster] = here;
    out_.push_back({handover::encode(handover::Remaining{.cluster = cluster, .clients = here}), 0});
  }
  board_.change([&](UpgradeStatus& status) {
    status.moved = moved_;
    status.remaining = proxy_.clients();
  });
}

}  // namespace overlord::proxy
