#pragma once
// The log of a process: one place that all threads write to, lines like
//   2026-01-31 12:00:00.123 info  cluster test-redis listening on 127.0.0.1:26379
// Call log_info("cluster ", name, " listening on ", address): the parts are joined only when the level is on,
// so a call that is off costs one relaxed load. Parts: text, numbers, bool, char, anything string_view is
// made from. Before log_init() the log goes to stderr at info. All functions may be called from any thread.

#include <atomic>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace overlord {

enum class LogLevel : int { debug = 0, info = 1, warn = 2, error = 3, off = 4 };

struct LogOptions {
  LogLevel level = LogLevel::info;
  uint32_t verbosity = 0;  // log_debug(v, ...) is on for 1 <= v <= verbosity, unless the level is above info
  std::string file;        // appended to; empty: none
  bool to_stdout = false;  // with neither file nor stdout the log goes to stderr
};

// Replaces the log of the process. On an error (the file cannot be opened) the old one stays.
Result<void> log_init(const LogOptions& options);

// Opens the log file anew, after something outside has moved it away. Without a file: nothing happens.
Result<void> log_reopen();

// Waits until everything written so far is with the kernel.
void log_flush();

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

// Keeps one place in the code from filling the log: at most one line per interval gets through.
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

  explicit LogEvery(std::chrono::nanoseconds interval) : interval_(interval.count()) {}

  Turn next() { return next(std::chrono::steady_clock::now()); }
  Turn next(std::chrono::steady_clock::time_point now);

 private:
  const int64_t interval_;
  std::atomic<int64_t> open_at_{INT64_MIN};  // steady-clock nanoseconds from when the next line may be written
  std::atomic<uint64_t> skipped_{0};
};

}  // namespace overlord
