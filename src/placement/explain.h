#pragma once
// A plan in words, for a dry run: what was looked at, which limits hold, and why each new node is where it is.

#include <string>
#include <vector>

#include "placement/fleet.h"
#include "placement/model.h"

namespace overlord::placement {

struct Explanation {
  std::vector<std::string> summary;  // about the whole
  std::vector<std::string> nodes;    // one for each of plan.added, in the same order
};

/// Of a plan that was made with the same arguments.
Explanation explain(const Fleet& fleet, const Rules& rules, const Layout& before, const Plan& plan);

}  // namespace overlord::placement
