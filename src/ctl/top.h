#pragma once
// Top: what a proxy does now, from the difference of two looks at /clusters and /backends.

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::ctl {

class Top {
 public:
  // The pages as they were read after `seconds` since the last call (0: the first one, which has no rates). Returns the
  // screen: a line about the whole, the clusters, and the busiest backends. rows: of backends; width: 0: lines of any length.
  Result<std::string> screen(std::string_view clusters, std::string_view backends, double seconds, size_t rows,
                             size_t width);

 private:
  struct Seen {
    double requests = 0;
    double failed = 0;
    double in = 0;
    double out = 0;
  };
  std::map<std::string, Seen> before_;  // by "cluster" or "cluster node"
};

}  // namespace overlord::ctl
