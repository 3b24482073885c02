#pragma once
// Small files of the executor's own. Errors name the path and the reason.

#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::executor {

// Whole or not at all: written beside it, synced, renamed over it.
Result<void> write_file(const std::string& path, std::string_view text, unsigned mode = 0600);
// At most `limit` bytes; a longer file is an error.
Result<std::string> read_file(const std::string& path, size_t limit);
// With what lies above it. A folder that is there is fine.
Result<void> make_folder(const std::string& path);
// All that is in it, and itself.
Result<void> remove_folder(const std::string& path);
bool exists(const std::string& path);
// The last `most` bytes; empty where it cannot be read.
std::string end_of_file(const std::string& path, size_t most);

// A file that one process at a time holds: an error says who (the text of the file).
class FileLock {
 public:
  FileLock() = default;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();
  // wait: until the other one lets go.
  static Result<FileLock> take(const std::string& path, bool wait);

 private:
  int fd_ = -1;
};

}  // namespace overlord::executor
