#include "admin/process_facts.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace overlord::admin {

ProcessFacts process_facts() {
  ProcessFacts facts;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    facts.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  // proc(5): sizes of the address space and of what is resident, in pages.
  if (std::ifstream statm("/proc/self/statm"); statm) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (statm >> facts.virtual_bytes >> facts.resident_bytes) {
      facts.virtual_bytes *= page;
      facts.resident_bytes *= page;
    }
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) std::istringstream(line.substr(8)) >> facts.threads;
  }
  if (DIR* folder = ::opendir("/proc/self/fd")) {
    while (const dirent* entry = ::readdir(folder)) facts.open_fds += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(folder);
    --facts.open_fds;  // the one that was counting
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_fds = limit.rlim_cur;
  return facts;
}

}  // namespace overlord::admin
