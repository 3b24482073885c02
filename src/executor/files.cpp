#include "executor/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "net/socket.h"

namespace overlord::executor {
namespace {

std::string trouble(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + std::strerror(errno);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view text, unsigned mode) {
  const std::string beside = path + ".new";
  ::unlink(beside.c_str());
  net::UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.valid()) return fail(trouble("cannot make", beside));
  if (!write_all(fd.get(), text) || ::fsync(fd.get()) != 0) {
    const std::string why = trouble("cannot write", beside);
    ::unlink(beside.c_str());
    return fail(why);
  }
  fd.reset();
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail(trouble("cannot replace", path));
  return {};
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  const net::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(trouble("cannot open", path));
  std::string text;
  char piece[16 * 1024];
  while (true) {
    const ssize_t got = ::read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(trouble("cannot read", path));
    if (got == 0) return text;
    text.append(piece, static_cast<size_t>(got));
    if (text.size() > limit) return fail(path + " has more than " + std::to_string(limit) + " bytes");
  }
}

Result<void> make_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return fail("cannot make the folder " + path + ": " + failure.message());
  return {};
}

Result<void> remove_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::remove_all(path, failure);
  if (failure) return fail("cannot remove " + path + ": " + failure.message());
  return {};
}

bool exists(const std::string& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0;
}

std::string end_of_file(const std::string& path, size_t most) {
  const net::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  const auto size = static_cast<size_t>(facts.st_size);
  std::string text(std::min(most, size), '\0');
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), static_cast<off_t>(size - text.size()));
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<FileLock> FileLock::take(const std::string& path, bool wait) {
  FileLock lock;
  lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.fd_ < 0) return fail(trouble("cannot open", path));
  int done = 0;
  do {
    done = ::flock(lock.fd_, LOCK_EX | (wait ? 0 : LOCK_NB));
  } while (done != 0 && errno == EINTR);
  if (done != 0) {
    std::string holder = end_of_file(path, 64);
    while (holder.ends_with('\n')) holder.pop_back();
    return fail(path + " is held by another process" + (holder.empty() ? "" : " (" + holder + ")"));
  }
  const std::string me = "pid " + std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.fd_, 0) != 0 || ::pwrite(lock.fd_, me.data(), me.size(), 0) < 0) {
    return fail(trouble("cannot write", path));
  }
  return lock;
}

}  // namespace overlord::executor
