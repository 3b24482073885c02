#include "base/log.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log_line.h"
#include "base/log_writer.h"

namespace overlord {

namespace {

constexpr std::chrono::milliseconds kFlushWait{2000};

constexpr std::array<std::pair<LogLevel, std::string_view>, 5> kLevels = {{{LogLevel::debug, "debug"},
                                                                           {LogLevel::info, "info"},
                                                                           {LogLevel::warn, "warn"},
                                                                           {LogLevel::error, "error"},
                                                                           {LogLevel::off, "off"}}};

// Null until log_init(): until then lines are written to stderr by who logs them.
struct Log {
  std::mutex mutex;
  std::shared_ptr<LogWriter> writer;
  LogOptions options;
  LogOptions configured;     // as log_init() got them
  uint64_t lost_before = 0;  // by writers that were replaced
};

Log& log() {
  static Log* instance = new Log;  // never freed: threads may log while the process exits
  return *instance;
}

std::atomic<LogFormat> g_format{LogFormat::text};

std::string_view thread_name() {
  thread_local char name[16] = "";
  // A thread has its name before it logs; asked again until then.
  if (name[0] == '\0' && ::pthread_getname_np(::pthread_self(), name, sizeof name) != 0) return "";
  return name;
}

std::string make_line(LogLevel level, std::string_view text) {
  std::string line;
  line.reserve(text.size() + 128);
  LogPlace place{{}, ::getpid(), thread_name()};
  ::clock_gettime(CLOCK_REALTIME, &place.time);
  append_log_line(line, g_format.load(std::memory_order_relaxed), level, place, text);
  return line;
}

std::string make_notice(std::string_view text) { return make_line(LogLevel::warn, text); }

Result<RotatingFile> open_file(const LogOptions& options) {
  if (options.file.empty()) return RotatingFile();
  const bool rotates = options.max_bytes > 0 || options.daily;
  auto file = RotatingFile::open({.path = options.file,
                                  .max_bytes = options.max_bytes,
                                  .backup_count = rotates ? options.backup_count : 0,
                                  .daily = options.daily});
  if (!file) return fail("log file: " + file.error().message);
  return file;
}

std::shared_ptr<LogWriter> current_writer() {
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  return current.writer;
}

// Under the log's mutex.
void switch_levels(const LogOptions& options) {
  log_detail::g_level.store(static_cast<int>(options.level), std::memory_order_relaxed);
  const uint32_t verbosity = options.level <= LogLevel::info ? options.verbosity : 0;
  log_detail::g_verbosity.store(verbosity, std::memory_order_relaxed);
}

}  // namespace

Result<void> log_init(const LogOptions& options) {
  auto file = open_file(options);
  if (!file) return std::unexpected(file.error());
  const int to_fd = options.to_stdout ? STDOUT_FILENO : options.file.empty() ? STDERR_FILENO : -1;
  auto made = std::make_shared<LogWriter>(std::move(*file), to_fd, make_notice);
  Log& current = log();
  {
    const std::lock_guard lock(current.mutex);
    g_format.store(options.format, std::memory_order_relaxed);
    if (current.writer != nullptr) current.lost_before += current.writer->lost();
    current.writer.swap(made);
    current.options = current.configured = options;
    switch_levels(options);
  }
  return {};
}

Result<void> log_reopen() {
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  if (current.writer == nullptr || current.options.file.empty()) return {};
  auto file = open_file(current.options);
  if (!file) return std::unexpected(file.error());
  current.writer->replace(std::move(*file));
  return {};
}

void log_flush() {
  if (const auto writer = current_writer()) writer->flush(kFlushWait);
}

void log_set_level(LogLevel level) {
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  current.options.level = level;
  switch_levels(current.options);
}

void log_set_verbosity(uint32_t verbosity) {
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  current.options.verbosity = verbosity;
  switch_levels(current.options);
}

void log_step_detail() {
  constexpr uint32_t kMostDetail = 3;
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  LogOptions& now = current.options;
  const uint32_t detail = log_verbosity();
  if (detail >= std::max(kMostDetail, current.configured.verbosity)) {
    now.level = current.configured.level;
    now.verbosity = current.configured.verbosity;
  } else {
    now.level = std::min(now.level, LogLevel::info);
    now.verbosity = detail + 1;
  }
  switch_levels(now);
}

LogLevel log_level() { return static_cast<LogLevel>(log_detail::g_level.load(std::memory_order_relaxed)); }

uint32_t log_verbosity() { return log_detail::g_verbosity.load(std::memory_order_relaxed); }

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (const auto& [level, known] : kLevels)
    if (known == name) return level;
  return std::nullopt;
}

std::string_view to_string(LogLevel level) {
  for (const auto& [known, name] : kLevels)
    if (known == level) return name;
  return "off";
}

uint64_t log_lost() {
  Log& current = log();
  const std::lock_guard lock(current.mutex);
  return current.lost_before + (current.writer == nullptr ? 0 : current.writer->lost());
}

void log_detail::write(LogLevel level, std::string_view text) {
  const std::string line = make_line(level, text);
  if (const auto writer = current_writer()) return writer->push(line);
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

std::string LogEvery::Turn::suffix() const {
  if (skipped_ == 0) return {};
  return " (and " + std::to_string(skipped_) + " more like this)";
}

LogEvery::Turn LogEvery::next(std::chrono::steady_clock::time_point now) {
  const int64_t at = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  int64_t open_at = open_at_.load(std::memory_order_relaxed);
  while (at >= open_at) {
    if (open_at_.compare_exchange_weak(open_at, at + interval_, std::memory_order_relaxed)) {
      left_.store(lines_ - 1, std::memory_order_relaxed);
      return Turn(true, skipped_.exchange(0, std::memory_order_relaxed));
    }
  }
  if (left_.load(std::memory_order_relaxed) > 0 && left_.fetch_sub(1, std::memory_order_relaxed) > 0)
    return Turn(true, 0);
  skipped_.fetch_add(1, std::memory_order_relaxed);
  return Turn(false, 0);
}

}  // namespace overlord
