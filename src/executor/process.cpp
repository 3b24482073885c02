#include "executor/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "executor/files.h"

// glibc 2.36 does not tell C++ that these are C.
extern "C" {
#include <sys/pidfd.h>
}

namespace overlord::executor {
namespace {

constexpr size_t kStatLimit = 4096;
constexpr int kNotStarted = 125;

// State and start time, from /proc/PID/stat: behind the name, which may hold blanks and parentheses, the third field
// is the first.
struct Stat {
  char state = '?';
  uint64_t started = 0;
};
std::optional<Stat> stat_of(pid_t pid) {
  constexpr int kStartField = 22;
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", kStatLimit);
  if (!text) return std::nullopt;
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return std::nullopt;
  Stat stat;
  stat.state = (*text)[name_end + 2];
  size_t at = name_end + 2;
  for (int field = 3; field < kStartField; ++field) {
    at = text->find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
  }
  const auto [end, failure] = std::from_chars(text->data() + at, text->data() + text->size(), stat.started);
  if (failure != std::errc{}) return std::nullopt;
  return stat;
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// In the child: only what is safe between fork and exec.
struct Prepared {
  const Start* start;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  rlimit descriptors{};
};

void become(const Prepared& prepared, int go, int trouble) {
  const Start& start = *prepared.start;
  const auto give_up = [trouble](char step) {
    const int why = errno;
    char message[1 + sizeof why];
    message[0] = step;
    std::memcpy(message + 1, &why, sizeof why);
    (void)!::write(trouble, message, sizeof message);
    ::_exit(kNotStarted);
  };
  ::setsid();
  char released = 0;
  if (::read(go, &released, 1) != 1) ::_exit(kNotStarted);
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &usual, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!start.cgroup.empty()) {
    const int group = ::open(start.cgroup.c_str(), O_WRONLY | O_CLOEXEC);
    if (group < 0 || ::write(group, "0", 1) != 1) give_up('g');
  }
  const int nothing = ::open("/dev/null", O_RDONLY);
  const int log = ::open(start.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || log < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0) give_up('l');
  if (prepared.descriptors.rlim_cur > 0) ::setrlimit(RLIMIT_NOFILE, &prepared.descriptors);
  if (start.address_space > 0) {
    const rlimit space{start.address_space, start.address_space};
    ::setrlimit(RLIMIT_AS, &space);
  }
  if (::chdir(start.folder.c_str()) != 0) give_up('d');
  // Nothing else of the executor's is the server's; these close when it begins.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(start.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  give_up('x');
}

std::string reason(const Start& start, char step, int why) {
  const std::string text = std::strerror(why);
  switch (step) {
    case 'g': return "cannot join " + start.cgroup + ": " + text;
    case 'l': return "cannot write " + start.log + ": " + text;
    case 'd': return "cannot enter " + start.folder + ": " + text;
    default: return "cannot run " + start.program + ": " + text;
  }
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

Result<Process> Process::start(const Start& start, const std::function<Result<void>(const ProcessId&)>& record) {
  std::vector<std::string> arguments{start.program};
  arguments.insert(arguments.end(), start.arguments.begin(), start.arguments.end());
  std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C", "HOME=" + start.folder};
  Prepared prepared{&start, pointers(arguments), pointers(environment), {}};
  if (start.descriptors > 0 && ::getrlimit(RLIMIT_NOFILE, &prepared.descriptors) == 0) {
    prepared.descriptors.rlim_cur = std::min<rlim_t>(start.descriptors, prepared.descriptors.rlim_max);
  }
  int go[2];
  int trouble[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return fail(std::string("cannot make a pipe: ") + std::strerror(errno));
  net::UniqueFd go_read(go[0]);
  net::UniqueFd go_write(go[1]);
  if (::pipe2(trouble, O_CLOEXEC) != 0) return fail(std::string("cannot make a pipe: ") + std::strerror(errno));
  const net::UniqueFd trouble_read(trouble[0]);
  net::UniqueFd trouble_write(trouble[1]);

  const pid_t pid = ::fork();
  if (pid < 0) return fail(std::string("cannot fork: ") + std::strerror(errno));
  if (pid == 0) {
    ::close(go_write.get());  // else the child itself would keep the pipe open
    become(prepared, go_read.get(), trouble_write.get());
  }
  go_read.reset();
  trouble_write.reset();
  net::UniqueFd fd(::pidfd_open(pid, 0));
  const auto stat = stat_of(pid);
  const auto abandon = [&](std::string why) -> std::unexpected<Error> {
    go_write.reset();
    ::waitpid(pid, nullptr, 0);
    return fail(std::move(why));
  };
  if (!fd.valid() || !stat) return abandon(std::string("cannot watch a child: ") + std::strerror(errno));
  ProcessId id{pid, stat->started, boot_id()};
  if (const auto recorded = record(id); !recorded) return abandon(recorded.error().message);
  if (::write(go_write.get(), "g", 1) != 1) return abandon("the child ended before it began");
  char message[1 + sizeof(int)];
  ssize_t got = 0;
  do {
    got = ::read(trouble_read.get(), message, sizeof message);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof message)) {
    int why = 0;
    std::memcpy(&why, message + 1, sizeof why);
    return abandon(reason(start, message[0], why));
  }
  return Process(std::move(id), std::move(fd), true);
}

std::optional<Process> Process::adopt(const ProcessId& id) {
  if (id.pid <= 0 || id.boot != boot_id()) return std::nullopt;
  net::UniqueFd fd(::pidfd_open(id.pid, 0));
  if (!fd.valid()) return std::nullopt;
  const auto stat = stat_of(id.pid);
  if (!stat || stat->started != id.started || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  // Who started it and runs on, as in a test, must reap it.
  siginfo_t facts{};
  const bool child = ::waitid(P_PIDFD, static_cast<id_t>(fd.get()), &facts, WEXITED | WNOHANG | WNOWAIT) == 0;
  return Process(id, std::move(fd), child);
}

std::optional<std::string> Process::ended() {
  if (end_) return end_;
  pollfd look{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&look, 1, 0) <= 0) return std::nullopt;
  if (!child_) return end_ = "ended, nobody knows how: an earlier executor had started it";
  siginfo_t facts{};
  const auto id = static_cast<id_t>(fd_.get());
  if (::waitid(P_PIDFD, id, &facts, WEXITED | WNOHANG | WNOWAIT) != 0 || facts.si_pid == 0) {
    return end_ = "ended, nobody knows how";
  }
  ::kill(-id_.pid, SIGKILL);  // while it is not reaped its number is nobody else's
  ::waitid(P_PIDFD, id, &facts, WEXITED | WNOHANG);
  if (facts.si_code == CLD_EXITED) return end_ = "exit status " + std::to_string(facts.si_status);
  return end_ = "killed by signal " + std::to_string(facts.si_status) + " (" + ::strsignal(facts.si_status) + ")";
}

bool Process::signal(int number) const { return !end_ && ::pidfd_send_signal(fd_.get(), number, nullptr, 0) == 0; }

void Process::kill() const {
  pollfd look{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (end_ || ::poll(&look, 1, 0) > 0) return;
  ::kill(-id_.pid, SIGKILL);
  ::pidfd_send_signal(fd_.get(), SIGKILL, nullptr, 0);
}

}  // namespace overlord::executor
