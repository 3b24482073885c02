#pragma once
// What a line of the log looks like:
//   text  2026-01-31 12:00:00.123 warn  what happened
//   json  {"time":"2026-01-31T12:00:00.123+01:00","level":"warn","pid":4711,"thread":"worker-0","msg":"what happened"}
// Times are local. A line is one line of valid UTF-8, whatever bytes the text has (text_escape.h).

#include <sys/types.h>

#include <ctime>
#include <string>
#include <string_view>

#include "base/log.h"

namespace overlord {

struct LogPlace {
  timespec time;  // CLOCK_REALTIME
  pid_t pid;
  std::string_view thread;
};

// Appends the line with its newline.
void append_log_line(std::string& out, LogFormat format, LogLevel level, const LogPlace& place, std::string_view text);

}  // namespace overlord
