#pragma once

#include <string>
#include <vector>

#include "loadgen/options.h"

namespace loadgen {

/// Raises the limit of open files to `wanted` as far as the system lets this process.
void raise_file_limit(size_t wanted);

/// Opens `count` non-blocking TCP connections to the server of `options`. On failure `error` says which and why, and
/// every socket is closed.
struct Connected {
  std::vector<int> sockets;
  std::string error;
};
Connected connect_all(const Options& options, size_t count);

}  // namespace loadgen
