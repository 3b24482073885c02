#include "config/reporter.h"

namespace overlord::config {

std::string quoted(std::string_view text) {
  constexpr size_t kLongest = 120;
  std::string out = "\"" + printable(text.substr(0, kLongest));
  if (text.size() > kLongest) out += "...";
  return out + '"';
}

}  // namespace overlord::config
