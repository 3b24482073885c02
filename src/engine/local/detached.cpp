#include "engine/local/detached.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "net/socket.h"

namespace overlord::engine {
namespace {

constexpr int kNotRun = 127;
constexpr std::string_view kExecutor = "overlord-executor";

// In the grandchild: only what is safe between fork and exec.
void become(const char* program, char* const* arguments, char* const* environment, int output) {
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &usual, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::close_range(3, ~0U, 0);
  ::execve(program, arguments, environment);
  constexpr std::string_view text = "cannot be run: ";
  (void)!::write(2, program, std::strlen(program));
  (void)!::write(2, " ", 1);
  (void)!::write(2, text.data(), text.size());
  const char* const why = ::strerrordesc_np(errno);
  (void)!::write(2, why, std::strlen(why));
  (void)!::write(2, "\n", 1);
  ::_exit(kNotRun);
}

}  // namespace

Result<void> start_detached(const std::string& program, const std::vector<std::string>& arguments,
                            const std::string& output) {
  const net::UniqueFd log(::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log.valid()) return fail("cannot write " + output + ": " + std::strerror(errno));
  std::vector<std::string> texts{program};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const pid_t between = ::fork();
  if (between < 0) return fail(std::string("cannot fork: ") + std::strerror(errno));
  if (between == 0) {
    ::setsid();
    const pid_t last = ::_Fork();
    if (last == 0) become(program.c_str(), pointers.data(), environ, log.get());
    ::_exit(last < 0 ? 1 : 0);
  }
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail("cannot fork twice");
  return {};
}

pid_t holder_of(const std::string& lock_path) {
  struct stat facts{};
  if (::stat(lock_path.c_str(), &facts) != 0) return 0;
  const std::string inode = ":" + std::to_string(facts.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  std::string written;
  std::ifstream(lock_path) >> written >> written;
  // "1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF"
  for (std::string line; std::getline(locks, line);) {
    if (!line.contains(" FLOCK ") || !line.contains(inode)) continue;
    std::istringstream words(line);
    std::string number;
    std::string pid;
    for (int i = 0; i < 4; ++i) words >> number;
    words >> pid;
    // The device does not tell the same on every file system, so what the holder wrote must agree, and its name.
    std::string name;
    std::ifstream("/proc/" + pid + "/comm") >> name;
    if (pid == written && kExecutor.starts_with(name) && !name.empty()) return std::atoi(pid.c_str());
  }
  return 0;
}

}  // namespace overlord::engine
