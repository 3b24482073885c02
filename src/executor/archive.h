#pragma once
// Archives from a file server: their digest, and unpacking them.

#include <atomic>
#include <string>

#include "base/error.h"

namespace overlord::executor {

// Of the file's bytes, in 64 lower-case hex digits.
Result<std::string> sha256_of(const std::string& path);

// Unpacks a tar archive, compressed or not, into a folder that exists. Modes are kept, but for set-user-id and the like.
// Only folders, files and links within the folder are taken: anything that names a place outside, or is of another
// kind, is an error, as are more than kMostUnpacked bytes or kMostEntries entries. After an error something may have
// been unpacked.
Result<void> unpack(const std::string& archive, const std::string& folder, const std::atomic<bool>& cancelled);

inline constexpr uint64_t kMostUnpacked = 2ULL * 1024 * 1024 * 1024;
inline constexpr uint32_t kMostEntries = 100'000;

}  // namespace overlord::executor
