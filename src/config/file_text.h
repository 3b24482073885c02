#pragma once
// A whole text file into memory.

#include <string>

#include "base/error.h"

namespace overlord::config {

// At most 16 MiB: a configuration larger than that is a mistake. Folders and unreadable files are errors.
Result<std::string> read_text_file(const std::string& path);

}  // namespace overlord::config
