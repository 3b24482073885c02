#include "proxy/upgrade.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace overlord::proxy {

using handover::Channel;

namespace {

// Where the child finds its end of the channel.
constexpr int kChildFd = 3;

Result<std::string> own_program() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || static_cast<size_t>(size) == path.size())
    return fail("cannot tell what this process was started from");
  std::string text(path.data(), static_cast<size_t>(size));
  // The file has been replaced by a newer one.
  constexpr std::string_view kGone = " (deleted)";
  if (text.ends_with(kGone)) text.resize(text.size() - kGone.size());
  return text;
}

// What the page for operators may start: a program that nobody but root or this user can have put there.
Result<void> check_program(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(path + ": " + std::strerror(errno));
  if (!S_ISREG(status.st_mode) || ::access(path.c_str(), X_OK) != 0) return fail(path + " is no program");
  if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & S_IWOTH) != 0) {
    return fail(path + " belongs to another user, or everybody may write to it: it is not started");
  }
  // Who reaches the admin address is not to start whatever else there is on the machine.
  constexpr std::string_view kName = "overlord-proxy";
  const std::string_view file = std::string_view(path).substr(path.rfind('/') + 1);
  if (!file.starts_with(kName)) return fail(path + " is not started: its name must begin with overlord-proxy");
  return {};
}

Result<pid_t> spawn(const std::string& program, const std::vector<std::string>& arguments, int channel) {
  std::vector<std::string> all{program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.push_back("-upgrade-from=fd:" + std::to_string(kChildFd));
  std::vector<char*> argv;
  for (std::string& one : all) argv.push_back(one.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t usual;
  ::sigemptyset(&none);
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, channel, kChildFd);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) return fail("cannot start " + program + ": " + std::strerror(failed));
  return child;
}

// Without the flag by which this process may have come itself.
std::vector<std::string> for_the_next(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& one = arguments[i];
    const std::string_view name = std::string_view(one).substr(one.starts_with("--")  ? 2
                                                               : one.starts_with("-") ? 1
                                                                                      : 0);
    if (name == "upgrade-from") {
      ++i;
    } else if (!name.starts_with("upgrade-from=")) {
      out.push_back(one);
    }
  }
  return out;
}

}  // namespace

Upgrade::Upgrade(Proxy& proxy, const std::vector<std::string>& arguments, UpgradeHooks hooks)
    : proxy_(proxy), arguments_(for_the_next(arguments)), hooks_(std::move(hooks)) {
  hooks_.upgrade_socket = [this] { return socket_to_hand(); };
  hooks_.let_takers_in = [this](bool in) { doors_open_.store(in); };
}

HandedListener Upgrade::socket_to_hand() const {
  if (!listener_.valid()) return {};
  return {.address = path_, .path = path_, .fd = net::UniqueFd(::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0))};
}

Result<void> Upgrade::listen(const std::string& path, HandedListener handed) {
  if (path.empty()) return {};
  if (handed.fd.valid() && handed.path == path) {
    listener_ = std::move(handed.fd);
  } else {
    auto fd = handover::listen_for_takers(path);
    if (!fd) return fail("upgrade_socket: " + fd.error().message);
    listener_ = std::move(*fd);
  }
  path_ = path;
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  thread_ = std::thread([this] { accept_takers(); });
  return {};
}

void Upgrade::accept_takers() {
  while (!stop_.load()) {
    constexpr int kLookAgain = 200;  // ms
    std::array<pollfd, 2> wait{{{.fd = doors_open_.load() ? listener_.get() : -1, .events = POLLIN, .revents = 0},
                                {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(wait.data(), wait.size(), kLookAgain);
    if ((wait[0].revents & POLLIN) == 0 || !doors_open_.load()) continue;
    net::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) continue;
    Channel channel(std::move(fd));
    auto may = handover::check_peer(channel.fd());
    if (!may) {
      log_warn("upgrade: refused: ", may.error().message);
      continue;
    }
    if (auto given = give(std::move(channel), 0); !given) log_warn("upgrade: refused: ", given.error().message);
  }
}

Result<void> Upgrade::give(Channel channel, pid_t child) {
  const std::lock_guard lock(mutex_);
  if (stop_.load() || !board_.begin({.state = UpgradeStatus::State::starting,
                                     .old_pid = ::getpid(),
                                     .new_pid = child,
                                     .old_version = OVERLORD_VERSION,
                                     .began = std::chrono::steady_clock::now()})) {
    const std::string why = stop_.load() ? "the proxy is stopping" : "an upgrade is under way";
    (void)channel.send(handover::encode(handover::Refusal{.reason = why}));
    return fail(why);
  }
  giver_ = std::make_unique<Giver>(proxy_, board_, hooks_, std::move(channel), child);
  return {};
}

Result<void> Upgrade::start(const std::string& binary) {
  if (board_.get().under_way()) return fail("an upgrade is under way");
  std::string program = binary;
  if (program.empty()) {
    auto own = own_program();
    if (!own) return std::unexpected(own.error());
    program = std::move(*own);
  }
  if (auto good = check_program(program); !good) return good;
  auto ends = Channel::pair();
  if (!ends) return std::unexpected(ends.error());
  auto child = spawn(program, arguments_, ends->second.fd());
  if (!child) return std::unexpected(child.error());
  log_info("upgrade: started ", program, ", pid ", *child);
  ends->second.close();
  return give(std::move(ends->first), *child);
}

void Upgrade::stop() {
  stop_.store(true);
  if (thread_.joinable()) {
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
  }
  const std::lock_guard lock(mutex_);
  giver_.reset();
  if (listener_.valid() && doors_open_.load()) ::unlink(path_.c_str());
  listener_.reset();
}

}  // namespace overlord::proxy
