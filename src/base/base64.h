#pragma once
// Base64 with the standard alphabet, padded (RFC 4648, section 4).

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace overlord {

void append_base64(std::string_view bytes, std::string& out);
std::string to_base64(std::string_view bytes);

// Only what to_base64() makes: nothing else than its alphabet, its padding, and no bits left over.
std::optional<std::string> from_base64(std::string_view text);

// Returns the size of what was decoded into `out` (3/4 of the text's size at most), 0 when the text is not base64 or is
// empty. Left over bits of the last digit may be anything, as memcached has it.
size_t decode_base64(std::string_view text, char* out);

}  // namespace overlord
