#pragma once
// RecordIO, the framing of Mesos' event streams (Mesos, "Scheduler HTTP API"): each record is its length in decimal
// digits, a newline, and so many bytes. Records and the pieces in which bytes come have nothing to do with each other.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace overlord::mesos {

class RecordIo {
 public:
  // longest: bytes of a record; a longer one is an error. No more than that, and the digits, is ever kept.
  explicit RecordIo(size_t longest) : longest_(longest) {}

  // Appends the records that are whole now. After an error nothing can be read until clear().
  Result<void> feed(std::string_view bytes, std::vector<std::string>& records);
  void clear();
  // Whether a record has begun and is not whole.
  bool between() const { return !reading_ && digits_ == 0; }

 private:
  const size_t longest_;
  size_t length_ = 0;
  size_t digits_ = 0;  // of the length, so far
  bool reading_ = false;
  bool broken_ = false;
  std::string record_;
};

}  // namespace overlord::mesos
