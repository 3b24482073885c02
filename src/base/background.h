#pragma once
// Work that must not hold up the workers: a thread that gives way gets a core when no worker wants it, or a small share
// of one where they want all. It cannot take that back without privileges, so the thread ends with the work.

#include <sched.h>
#include <sys/resource.h>

#include <functional>
#include <system_error>
#include <thread>

namespace overlord {

inline void give_way() noexcept {
  constexpr int kNice = 10;  // a tenth of a worker's share
  // Where the process runs under a real-time policy, which knows no shares.
  const sched_param usual{};
  ::sched_setscheduler(0, SCHED_OTHER, &usual);
  // Linux counts by thread; where that may not be, the work is as urgent as any other.
  ::setpriority(PRIO_PROCESS, 0, kNice);
}

// Does the work on a thread that gives way, and waits for its end; on the caller's when there is no thread to be had.
inline void in_background(const std::function<void()>& work) {
  std::thread thread;
  try {
    thread = std::thread([&work] {
      give_way();
      work();
    });
  } catch (const std::system_error&) {
    return work();
  }
  thread.join();
}

}  // namespace overlord
