#include "base/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace overlord {

namespace {

// The end of the local day that this moment belongs to.
time_t end_of_day(time_t at) {
  tm day{};
  ::localtime_r(&at, &day);
  day.tm_mday += 1;
  day.tm_hour = day.tm_min = day.tm_sec = 0;
  day.tm_isdst = -1;
  const time_t end = ::mktime(&day);
  return end > at ? end : at + 24 * 60 * 60;
}

int open_for_append(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

}  // namespace

RotatingFile::RotatingFile(RotatingFile&& other) noexcept
    : options_(std::move(other.options_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      retry_at_size_(other.retry_at_size_),
      day_end_(other.day_end_),
      torn_(other.torn_),
      last_error_(other.last_error_) {}

RotatingFile& RotatingFile::operator=(RotatingFile&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  options_ = std::move(other.options_);
  fd_ = std::exchange(other.fd_, -1);
  size_ = other.size_;
  retry_at_size_ = other.retry_at_size_;
  day_end_ = other.day_end_;
  torn_ = other.torn_;
  last_error_ = other.last_error_;
  return *this;
}

RotatingFile::~RotatingFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<RotatingFile> RotatingFile::open(RotatingFileOptions options) {
  RotatingFile file(std::move(options));
  const int fd = open_for_append(file.options_.path);
  if (fd < 0 || !file.attach(fd)) {
    const int error = errno;
    if (fd >= 0 && file.fd_ < 0) ::close(fd);
    return fail("cannot open " + file.options_.path + ": " + std::strerror(error));
  }
  return file;
}

bool RotatingFile::attach(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return false;
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  size_ = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  retry_at_size_ = 0;
  torn_ = false;
  // What an earlier run left there belongs to its day.
  day_end_ = size_ > 0 ? end_of_day(status.st_mtime) : 0;
  return true;
}

uint64_t RotatingFile::write(std::string_view lines, time_t now) {
  if (fd_ < 0) return lose(lines, EBADF);
  uint64_t lost = 0;
  while (!lines.empty()) {
    if (rotates() && options_.daily && size_ > 0 && now >= day_end_) rotate(now);
    if (day_end_ == 0 || now >= day_end_) day_end_ = end_of_day(now);
    size_t part = lines.size();
    if (rotates() && options_.max_bytes > 0) {
      const size_t first = std::min(lines.find('\n'), lines.size() - 1) + 1;
      if (size_ > 0 && size_ + first > options_.max_bytes && size_ >= retry_at_size_) rotate(now);
      // As many whole lines as there is room for, and at least one.
      const uint64_t room = options_.max_bytes > size_ ? options_.max_bytes - size_ : 0;
      part = std::min<uint64_t>(lines.size(), std::max<uint64_t>(room, first));
      if (part < lines.size()) part = std::max(lines.rfind('\n', part - 1) + 1, first);
    }
    lost += write_part(lines.substr(0, part));
    lines.remove_prefix(part);
  }
  return lost;
}

uint64_t RotatingFile::write_part(std::string_view lines) {
  if (torn_) {
    if (::write(fd_, "\n", 1) != 1) return lose(lines, errno);
    ++size_;
    torn_ = false;
  }
  while (!lines.empty()) {
    const ssize_t wrote = ::write(fd_, lines.data(), lines.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return lose(lines, errno);
    const auto done = static_cast<size_t>(wrote);
    size_ += done;
    if (done == lines.size()) return 0;
    // A full disk took a part. The line that it ends in is taken back, so that it is whole or not there.
    const size_t end_of_line = done == 0 ? std::string_view::npos : lines.rfind('\n', done - 1);
    const size_t whole = end_of_line == std::string_view::npos ? 0 : end_of_line + 1;
    if (whole < done) {
      const uint64_t keep = size_ - (done - whole);
      torn_ = ::ftruncate(fd_, static_cast<off_t>(keep)) != 0;
      if (!torn_) size_ = keep;
    }
    lines.remove_prefix(whole);
    if (whole == 0 || torn_) return lose(lines, ENOSPC);
  }
  return 0;
}

uint64_t RotatingFile::lose(std::string_view lines, int error) {
  last_error_ = error;
  return static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

void RotatingFile::rotate(time_t now) {
  day_end_ = end_of_day(now);
  // Whatever of this fails leaves the open file as it is; the next try comes when it has grown by a tenth.
  retry_at_size_ = size_ + options_.max_bytes / 10 + 1;
  for (uint32_t i = options_.backup_count; i > 1; --i) {
    if (::rename(backup(i - 1).c_str(), backup(i).c_str()) != 0 && errno != ENOENT) return;
  }
  // When the new file cannot be made the old one gets its name back.
  const std::string aside = backup(1);
  if (::rename(options_.path.c_str(), aside.c_str()) != 0) return;
  const int fd = open_for_append(options_.path);
  if (fd >= 0 && attach(fd)) {
    day_end_ = end_of_day(now);
    return;
  }
  if (fd >= 0) ::close(fd);
  (void)std::rename(aside.c_str(), options_.path.c_str());
}

}  // namespace overlord
