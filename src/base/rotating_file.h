#pragma once
// RotatingFile: a file that whole lines are appended to, and that is moved aside when it has become too large or a new
// day has begun (local time): F becomes F.1, F.1 becomes F.2 and so on, and what would come behind the last kept one
// is deleted. One thread at a time.
//
// No line is torn or lost by rotation: a line is in the old file or in the new one. Where the disk is full a line is
// either whole in the file or not there at all, and the writer is told; the next write tries again. When moving the
// file aside fails, writing goes on in the one that is open.

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace overlord {

struct RotatingFileOptions {
  std::string path;
  uint64_t max_bytes = 0;     // a write that would make the file larger rotates it first; 0: never for its size
  uint32_t backup_count = 0;  // files kept beside the one written to; 0: no rotation at all
  bool daily = false;         // rotate when the day changes
};

class RotatingFile {
 public:
  RotatingFile() = default;  // no file: everything written is dropped
  RotatingFile(RotatingFile&& other) noexcept;
  RotatingFile& operator=(RotatingFile&& other) noexcept;
  ~RotatingFile();

  // Opens the file for appending, and makes it where it is missing. The error names path and reason.
  static Result<RotatingFile> open(RotatingFileOptions options);

  bool is_open() const { return fd_ >= 0; }

  // lines: any number of whole lines, each with its newline. Returns how many of them could not be written.
  uint64_t write(std::string_view lines) { return write(lines, ::time(nullptr)); }
  uint64_t write(std::string_view lines, time_t now);

  int last_error() const { return last_error_; }  // errno of the last line that could not be written

 private:
  explicit RotatingFile(RotatingFileOptions options) : options_(std::move(options)) {}

  bool attach(int fd);  // takes over the file that lines go to now
  uint64_t write_part(std::string_view lines);
  uint64_t lose(std::string_view lines, int error);
  bool rotates() const { return options_.backup_count > 0; }
  void rotate(time_t now);
  std::string backup(uint32_t number) const { return options_.path + "." + std::to_string(number); }

  RotatingFileOptions options_;
  int fd_ = -1;
  uint64_t size_ = 0;
  uint64_t retry_at_size_ = 0;  // after a rotation that failed
  time_t day_end_ = 0;          // when the day of the file's first line ends
  bool torn_ = false;           // the file ends inside a line that could not be taken back
  int last_error_ = 0;
};

}  // namespace overlord
