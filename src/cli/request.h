#pragma once
// What was typed, as a request to the API.

#include <string>

#include "base/error.h"
#include "cli/command.h"

namespace overlord::cli {

struct Request {
  std::string method;
  std::string target;  // path and query, encoded
  std::string body;    // JSON; empty: none
};

// The error names the argument or flag and what it should be.
Result<Request> request_of(const Command& command, const Values& values);

}  // namespace overlord::cli
