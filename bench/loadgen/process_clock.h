#pragma once

#include <cstdint>

namespace loadgen {

/// Monotonic time in nanoseconds.
int64_t now_ns();

/// CPU time (user + system) of this process in nanoseconds.
int64_t own_cpu_ns();

/// CPU time a process has used, from the scheduler's nanosecond account: the sum over its living threads. -1 when it
/// cannot be read. See proc(5), /proc/[pid]/schedstat.
int64_t process_cpu_ns(int pid);

/// The same from utime + stime of /proc/[pid]/stat, which counts in clock ticks. -1 when it cannot be read.
int64_t process_ticks_ns(int pid);

}  // namespace loadgen
