#include "engine/engine.h"

#include <array>

namespace overlord::engine {

std::string_view to_string(TaskState state) {
  constexpr std::array<std::string_view, 8> kNames{"staging", "starting", "running", "sick",
                                                   "stopped", "failed",   "lost",    "gone"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace overlord::engine
