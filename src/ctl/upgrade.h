#pragma once
// `overlord ctl upgrade`: has a running proxy give way to a new process, and follows it to the end.

#include <functional>
#include <string>

#include "base/error.h"
#include "http/client.h"

namespace overlord::ctl {

struct UpgradeEnd {
  bool done = false;
  std::string text;  // what came of it, in a line; why it failed
  std::string page;  // the last page of it, JSON
};

// binary: the new program; empty: the file that the running one was started from. `tell` gets a line about each change.
// The error: the proxy could not be reached.
Result<UpgradeEnd> upgrade(http::Client& client, const std::string& binary,
                           const std::function<void(const std::string&)>& tell);

}  // namespace overlord::ctl
