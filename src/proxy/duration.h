#pragma once
// Configured durations in the loop's unit.

#include <cstdint>

#include "config/config.h"

namespace overlord::proxy {

inline uint64_t nanoseconds(config::milliseconds value) { return static_cast<uint64_t>(value.count()) * 1'000'000; }

}  // namespace overlord::proxy
