#pragma once

#include <vector>

#include "loadgen/channel.h"
#include "loadgen/options.h"
#include "loadgen/wire.h"

namespace loadgen {

/// Holds connections without load and obeys lines on stdin: "get" sends one get on each connection and checks the
/// reply, "close" closes all; the end of input ends. After each step one line on stdout says that it is done: "open N",
/// "got N", "closed". Returns the exit code.
int hold_idle(const Options& options, const Wire& wire, std::vector<Channel> channels);

}  // namespace loadgen
