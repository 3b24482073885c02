#pragma once
// LogWriter: takes lines from any thread and writes them in a thread of its own, so that a slow disk, a full one or a
// terminal that nobody reads never holds up the thread that logs. What waits is bounded: lines beyond that are
// dropped and counted, and a line in their place says how many.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/rotating_file.h"

namespace overlord {

class LogWriter {
 public:
  static constexpr size_t kMostWaiting = 4 << 20;  // bytes

  // Makes a whole line of a text of the log's own (what was dropped or lost).
  using Notice = std::function<std::string(std::string_view text)>;

  // file: may be none. to_fd: written to as well, or -1. With neither everything is dropped.
  LogWriter(RotatingFile file, int to_fd, Notice notice, size_t most_waiting = kMostWaiting);
  // Writes what waits first.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // A whole line with its newline. Never blocks on the writing.
  void push(std::string_view line);
  // Lines pushed from now on go to this file.
  void replace(RotatingFile file);
  // Waits until what was pushed is with the kernel; false when it was not within the time.
  bool flush(std::chrono::milliseconds most);

  // Lines that were dropped because too many waited, or lost because the file could not be written.
  uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void run();
  void write_out(std::string_view lines);
  void tell_lost();

  const Notice notice_;
  const int to_fd_;
  const size_t most_waiting_;
  std::atomic<uint64_t> lost_{0};

  std::mutex mutex_;
  std::condition_variable pushed_;
  std::condition_variable written_;
  std::string waiting_;                    // under mutex_, as all up to thread_
  uint64_t dropped_ = 0;                   // lines, since the last notice
  std::optional<RotatingFile> next_file_;  // from byte next_file_at_ of waiting_ on
  size_t next_file_at_ = 0;
  bool busy_ = false;  // the thread is writing
  bool stop_ = false;

  RotatingFile file_;          // of the thread alone
  uint64_t lost_in_file_ = 0;  // lines that the file does not tell of yet
  int lost_error_ = 0;         // why
  bool told_stderr_ = false;
  std::thread thread_;
};

}  // namespace overlord
