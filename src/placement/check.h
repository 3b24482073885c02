#pragma once
// The rules once more, read from docs/placement.md and written without anything of the algorithms: tests, dry runs and
// whoever is about to carry out a plan can ask whether it keeps them.

#include <string>
#include <vector>

#include "placement/model.h"

namespace overlord::placement {

/// Every fault of a plan, in words; empty: it keeps all rules. hosts: as they were given to make the plan, `group` too.
std::vector<std::string> check(const std::vector<Host>& hosts, const Rules& rules, const Layout& before,
                               const Plan& plan, const std::string& group = {});

/// What is wrong with a layout as such, whatever is free: shards, halves, addresses.
std::vector<std::string> check_layout(const std::vector<Host>& hosts, const Rules& rules, const Layout& layout);

}  // namespace overlord::placement
