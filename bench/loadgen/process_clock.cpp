#include "loadgen/process_clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace loadgen {
namespace {

int64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

bool read_text(const std::string& path, char* to, size_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, to, size - 1);
  close(fd);
  if (n <= 0) return false;
  to[n] = '\0';
  return true;
}

}  // namespace

int64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

int64_t own_cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

int64_t process_cpu_ns(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) return -1;
  int64_t total = 0;
  char text[256];
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    // A thread may end between the listing and the reading; its time then leaves the sum.
    if (read_text(folder + "/" + task->d_name + "/schedstat", text, sizeof text)) total += std::atoll(text);
  }
  closedir(tasks);
  return total;
}

int64_t process_ticks_ns(int pid) {
  char text[1024];
  if (!read_text("/proc/" + std::to_string(pid) + "/stat", text, sizeof text)) return -1;
  // The second field is the command in parentheses and may hold anything; utime is the 12th after it.
  const char* after = std::strrchr(text, ')');
  unsigned long long user = 0;
  unsigned long long system = 0;
  if (after == nullptr ||
      std::sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2) {
    return -1;
  }
  return static_cast<int64_t>((user + system) * (1'000'000'000ULL / static_cast<uint64_t>(sysconf(_SC_CLK_TCK))));
}

}  // namespace loadgen
