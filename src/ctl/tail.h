#pragma once
// TailLines: what /tail sends, line by line, as a table whose width nobody knows yet: columns have a usual width, and what is
// longer pushes the rest of its line.

#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::ctl {

class TailLines {
 public:
  static std::string title();
  // Bytes as they come, not in whole lines. Returns the lines that are whole. Fails when they are none of /tail.
  Result<std::string> take(std::string_view piece);

 private:
  static constexpr size_t kLongestLine = 64 * 1024;
  std::string rest_;  // of the last line
};

}  // namespace overlord::ctl
