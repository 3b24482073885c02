#include "proxy/file_watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace overlord::proxy {
namespace {

constexpr int kLookEveryMs = 1000;
constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

bool FileWatch::Stamp::operator==(const Stamp& other) const {
  return same(modified, other.modified) && same(changed, other.changed) && size == other.size && inode == other.inode &&
         device == other.device;
}

FileWatch::FileWatch(std::vector<std::string> paths, std::function<void()> changed)
    : paths_(std::move(paths)),
      changed_(std::move(changed)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!inotify_.valid()) log_warn("inotify cannot be used; files are looked at once a second");
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "file-watch");
    run();
  });
}

FileWatch::~FileWatch() {
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

FileWatch::Stamps FileWatch::look() const {
  Stamps stamps;
  for (const std::string& path : paths_) {
    struct stat found{};
    Stamp stamp;
    if (::stat(path.c_str(), &found) == 0) {
      stamp = {found.st_mtim, found.st_ctim, found.st_size, found.st_ino, found.st_dev};
    }
    stamps.push_back(stamp);
  }
  return stamps;
}

// Adding one that is there already changes nothing; a folder that was replaced is another one.
void FileWatch::watch_folders() {
  if (!inotify_.valid()) return;
  for (const std::string& path : paths_) {
    ::inotify_add_watch(inotify_.get(), folder_of(path).c_str(), kEvents);
    char real[PATH_MAX];
    if (::realpath(path.c_str(), real) == nullptr) continue;
    ::inotify_add_watch(inotify_.get(), folder_of(real).c_str(), kEvents);
  }
}

bool FileWatch::wait(int timeout_ms) {
  pollfd wanted[] = {{stop_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
  (void)::poll(wanted, inotify_.valid() ? 2 : 1, timeout_ms);
  char events[4096];
  while (inotify_.valid() && ::read(inotify_.get(), events, sizeof events) > 0) {
  }
  return wanted[0].revents == 0;
}

void FileWatch::run() {
  watch_folders();
  Stamps applied = look();
  while (wait(kLookEveryMs)) {
    watch_folders();
    Stamps now = look();
    if (now == applied) continue;
    // Somebody may still be writing.
    for (bool rests = false; !rests;) {
      pollfd stop{stop_.get(), POLLIN, 0};
      if (::poll(&stop, 1, kRestMs) != 0) return;
      const Stamps before = std::exchange(now, look());
      rests = before == now;
    }
    applied = now;
    // A file that is gone for the moment of its replacement is no change of the configuration.
    if (applied == Stamps(paths_.size())) continue;
    changed_();
  }
}

}  // namespace overlord::proxy
