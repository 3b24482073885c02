#pragma once
// FileWatch: tells when one of some files has changed: once for each change, when it rests.
//
// The kernel tells when anything happens in the files' folders (inotify), and the files are looked at then, and once a
// second in any case, by what stat says of where the path leads. So it does not matter how a file is replaced: written
// in place, renamed over, by a link that is switched (as Kubernetes does it with ..data), with its whole folder, or on
// a file system that tells nothing.

#include <sys/stat.h>

#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.h"

namespace overlord::proxy {

class FileWatch {
 public:
  // changed: called on the watching thread.
  FileWatch(std::vector<std::string> paths, std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  static constexpr int kRestMs = 200;

 private:
  // What tells one state of a file from the next.
  struct Stamp {
    timespec modified{};
    timespec changed{};
    off_t size = -1;
    ino_t inode = 0;
    dev_t device = 0;
    bool operator==(const Stamp& other) const;
  };
  using Stamps = std::vector<Stamp>;

  Stamps look() const;
  void watch_folders();
  bool wait(int timeout_ms);  // false: it is over
  void run();

  const std::vector<std::string> paths_;
  const std::function<void()> changed_;
  net::UniqueFd inotify_;
  net::UniqueFd stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace overlord::proxy
