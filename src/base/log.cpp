#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <vector>

namespace overlord {

namespace {

constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S.%e %-5l %v";

// The parts are replaced together, so that a writer on another thread sees the old log or the new one.
struct Log {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
  LogOptions options;
};

std::shared_ptr<spdlog::logger> make_logger(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks;
  if (!options.file.empty()) sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
  if (options.to_stdout) sinks.push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  if (sinks.empty()) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto logger = std::make_shared<spdlog::logger>("overlord", sinks.begin(), sinks.end());
  logger->set_pattern(kPattern);
  logger->set_level(spdlog::level::trace);  // the level is judged in log.h
  logger->flush_on(spdlog::level::trace);   // a crash must not swallow the line that explains it
  return logger;
}

Log& log() {
  static Log* instance = [] {
    auto* made = new Log;  // never freed: threads may log while the process exits
    made->logger = make_logger(made->options);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

Result<void> replace(const LogOptions& options) {
  std::shared_ptr<spdlog::logger> made;
  try {
    made = make_logger(options);
  } catch (const spdlog::spdlog_ex& failure) {
    return fail(std::string("log file: ") + failure.what());
  }
  Log& current = log();
  {
    std::lock_guard lock(current.mutex);
    current.logger.swap(made);
    current.options = options;
  }
  log_detail::g_level.store(static_cast<int>(options.level), std::memory_order_relaxed);
  const uint32_t verbosity = options.level <= LogLevel::info ? options.verbosity : 0;
  log_detail::g_verbosity.store(verbosity, std::memory_order_relaxed);
  return {};
}

std::shared_ptr<spdlog::logger> current_logger() {
  Log& current = log();
  std::lock_guard lock(current.mutex);
  return current.logger;
}

// A line stays a line: what a client sent must not be able to forge one.
std::string one_line(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else {
      out.append("\\x");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

}  // namespace

Result<void> log_init(const LogOptions& options) { return replace(options); }

Result<void> log_reopen() {
  LogOptions options;
  {
    Log& current = log();
    std::lock_guard lock(current.mutex);
    options = current.options;
  }
  if (options.file.empty()) return {};
  return replace(options);
}

void log_flush() { current_logger()->flush(); }

void log_detail::write(LogLevel level, std::string_view text) {
  current_logger()->log(spdlog_level(level), one_line(text));
}

std::string LogEvery::Turn::suffix() const {
  if (skipped_ == 0) return {};
  return " (and " + std::to_string(skipped_) + " more like this)";
}

LogEvery::Turn LogEvery::next(std::chrono::steady_clock::time_point now) {
  const int64_t at = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  int64_t open_at = open_at_.load(std::memory_order_relaxed);
  while (at >= open_at) {
    if (open_at_.compare_exchange_weak(open_at, at + interval_, std::memory_order_relaxed))
      return Turn(true, skipped_.exchange(0, std::memory_order_relaxed));
  }
  skipped_.fetch_add(1, std::memory_order_relaxed);
  return Turn(false, 0);
}

}  // namespace overlord
