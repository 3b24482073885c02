#pragma once
// The log of a process: one place that all threads write to, lines like
//   2026-01-31 12:00:00.123 info  cluster test-redis listening on 127.0.0.1:26379
// or JSON objects, one a line (log_line.h). Call log_info("cluster ", name, " listening on ", address): the parts are
// joined only when the level is on, so a call that is off costs one relaxed load. Parts: text, numbers, bool, char,
// anything string_view is made from. Before log_init() the log goes to stderr at info. All functions may be called
// from any thread; none waits for a disk or a terminal (log_writer.h), except log_flush().

#include <atomic>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace overlord {

enum class LogLevel : int { debug = 0, info = 1, warn = 2, error = 3, off = 4 };

enum class LogFormat : int { text, json };

struct LogOptions {
  LogLevel level = LogLevel::info;
  uint32_t verbosity = 0;  // log_debug(v, ...) is on for 1 <= v <= verbosity, unless the level is above info
  std::string file;        // appended to; empty: none
  bool to_stdout = false;  // with neither file nor stdout the log goes to stderr
  LogFormat format = LogFormat::text;
  // Rotation of the file (rotating_file.h); off unless there is a size or it is daily.
  uint64_t max_bytes = 0;
  uint32_t backup_count = 7;
  bool daily = false;
};

// Replaces the log of the process. On an error (the file cannot be opened) the old one stays.
Result<void> log_init(const LogOptions& options);

// Opens the log file anew, after something outside has moved it away. Without a file: nothing happens.
Result<void> log_reopen();

// Waits until everything written so far is with the kernel, two seconds at most.
void log_flush();

// Changes what is written from now on; what they return is in force at the moment. Debug messages need both a level of
// info or below and a verbosity from 1.
void log_set_level(LogLevel level);
void log_set_verbosity(uint32_t verbosity);
LogLevel log_level();
uint32_t log_verbosity();
// One step more of detail, up to three of debug messages; behind that what log_init() was given again.
void log_step_detail();

// By the names debug, info, warn, error, off.
std::optional<LogLevel> parse_log_level(std::string_view name);
std::string_view to_string(LogLevel level);

// Lines that are missing in the log, because they came too fast or its file could not be written.
uint64_t log_lost();

namespace log_detail {

inline std::atomic<int> g_level{static_cast<int>(LogLevel::info)};
inline std::atomic<uint32_t> g_verbosity{0};

void write(LogLevel level, std::string_view text);

inline void append(std::string& out, std::string_view part) { out.append(part); }

// A template, so that a char pointer is taken as text and not turned into a bool.
template <typename T>
  requires(std::integral<T> || std::floating_point<T>)
void append(std::string& out, T part) {
  if constexpr (std::same_as<T, bool>) {
    out.append(part ? "true" : "false");
  } else if constexpr (std::same_as<T, char>) {
    out.push_back(part);
  } else {
    char digits[64];
    auto [end, failure] = std::to_chars(digits, digits + sizeof(digits), part);
    if (failure == std::errc{}) out.append(digits, end);
  }
}

template <typename... Parts>
void join_and_write(LogLevel level, const Parts&... parts) {
  std::string text;
  (append(text, parts), ...);
  write(level, text);
}

}  // namespace log_detail

inline bool log_enabled(LogLevel level) {
  return static_cast<int>(level) >= log_detail::g_level.load(std::memory_order_relaxed);
}
inline bool log_debug_enabled(uint32_t verbosity) {
  return verbosity <= log_detail::g_verbosity.load(std::memory_order_relaxed);
}

// verbosity: from 1; a higher number is more detail (-log-vl).
template <typename... Parts>
void log_debug(uint32_t verbosity, const Parts&... parts) {
  if (log_debug_enabled(verbosity)) log_detail::join_and_write(LogLevel::debug, parts...);
}
template <typename... Parts>
void log_info(const Parts&... parts) {
  if (log_enabled(LogLevel::info)) log_detail::join_and_write(LogLevel::info, parts...);
}
template <typename... Parts>
void log_warn(const Parts&... parts) {
  if (log_enabled(LogLevel::warn)) log_detail::join_and_write(LogLevel::warn, parts...);
}
template <typename... Parts>
void log_error(const Parts&... parts) {
  if (log_enabled(LogLevel::error)) log_detail::join_and_write(LogLevel::error, parts...);
}

// Keeps one place in the code from filling the log: at most so many lines per interval get through, one unless told
// otherwise.
//   static LogEvery every(std::chrono::seconds(1));
//   if (auto turn = every.next()) log_warn("accept failed: ", text, turn.suffix());
// Times are passed in by tests; next() without one reads the monotonic clock.
class LogEvery {
 public:
  class Turn {
   public:
    Turn(bool write, uint64_t skipped) : write_(write), skipped_(skipped) {}
    explicit operator bool() const { return write_; }
    uint64_t skipped() const { return skipped_; }  // calls since the last line that wrote nothing
    std::string suffix() const;                    // "" or " (and 12 more like this)"

   private:
    bool write_;
    uint64_t skipped_;
  };

  // For lines that name one of many, like a backend: enough to name them when some go, no flood when hundreds do.
  static constexpr int64_t kBurst = 20;

  explicit LogEvery(std::chrono::nanoseconds interval, int64_t lines = 1)
      : interval_(interval.count()), lines_(lines) {}

  Turn next() { return next(std::chrono::steady_clock::now()); }
  Turn next(std::chrono::steady_clock::time_point now);

 private:
  const int64_t interval_;
  const int64_t lines_;
  std::atomic<int64_t> left_{0};             // lines that may be written before open_at_
  std::atomic<int64_t> open_at_{INT64_MIN};  // steady-clock nanoseconds from when the next line may be written
  std::atomic<uint64_t> skipped_{0};
};

}  // namespace overlord
