#include "base/log_writer.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace overlord {

namespace {

// How often a file that could not be written is tried, so that the lost lines are told of even when no more come.
constexpr std::chrono::seconds kRetry{1};

// A descriptor that is closed or has nobody behind it takes nothing; there is nobody to tell.
void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote > 0) {
      bytes.remove_prefix(static_cast<size_t>(wrote));
    } else if (wrote == 0 || errno != EINTR) {
      return;
    }
  }
}

}  // namespace

LogWriter::LogWriter(RotatingFile file, int to_fd, Notice notice, size_t most_waiting)
    : notice_(std::move(notice)), to_fd_(to_fd), most_waiting_(most_waiting), file_(std::move(file)) {
  // Signals are for the threads that wait for them.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  pushed_.notify_one();
  thread_.join();
}

void LogWriter::push(std::string_view line) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > most_waiting_) {
      ++dropped_;
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    wake = waiting_.empty() && !busy_;
    if (dropped_ > 0) {
      waiting_ += notice_(std::to_string(std::exchange(dropped_, 0)) +
                          " log lines were dropped here: they came faster than the log could be written");
    }
    waiting_ += line;
  }
  if (wake) pushed_.notify_one();
}

void LogWriter::replace(RotatingFile file) {
  const std::lock_guard lock(mutex_);
  next_file_ = std::move(file);
  next_file_at_ = waiting_.size();
}

bool LogWriter::flush(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return written_.wait_for(lock, most, [this] { return waiting_.empty() && !busy_; });
}

void LogWriter::run() {
  ::pthread_setname_np(::pthread_self(), "log");
  std::string lines;
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto something = [this] { return stop_ || !waiting_.empty(); };
    if (lost_in_file_ > 0 && !stop_) {
      if (!pushed_.wait_for(lock, kRetry, something)) {
        busy_ = true;
        lock.unlock();
        tell_lost();
        lock.lock();
        busy_ = false;
        written_.notify_all();
        continue;
      }
    } else {
      pushed_.wait(lock, something);
    }
    if (stop_ && waiting_.empty()) return;
    lines.swap(waiting_);
    std::optional<RotatingFile> next = std::exchange(next_file_, std::nullopt);
    const size_t to_old = next ? next_file_at_ : lines.size();
    busy_ = true;
    lock.unlock();
    write_out(std::string_view(lines).substr(0, to_old));
    if (next) file_ = std::move(*next);
    write_out(std::string_view(lines).substr(to_old));
    lines.clear();
    if (lines.capacity() > 256 * 1024) lines.shrink_to_fit();
    lock.lock();
    busy_ = false;
    if (waiting_.empty()) written_.notify_all();
  }
}

void LogWriter::write_out(std::string_view lines) {
  if (lines.empty()) return;
  if (to_fd_ >= 0) write_all(to_fd_, lines);
  if (!file_.is_open()) return;
  tell_lost();
  const uint64_t lost = file_.write(lines);
  if (lost == 0) return;
  lost_in_file_ += lost;
  lost_error_ = file_.last_error();
  lost_.fetch_add(lost, std::memory_order_relaxed);
  if (std::exchange(told_stderr_, true) || to_fd_ == STDERR_FILENO) return;
  write_all(STDERR_FILENO,
            notice_(std::string("the log file cannot be written, lines are lost: ") + std::strerror(lost_error_)));
}

void LogWriter::tell_lost() {
  if (lost_in_file_ == 0) return;
  const std::string count = std::to_string(lost_in_file_);
  if (file_.write(notice_(count + " log lines were lost here: " + std::strerror(lost_error_))) > 0) return;
  lost_in_file_ = 0;
  told_stderr_ = false;
}

}  // namespace overlord
