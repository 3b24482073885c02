#pragma once
#include <string>

namespace overlord::net {

// Empty when io_uring can be used here, else the reason. Tries it out anew at every call.
std::string probe_uring();

}  // namespace overlord::net
