#pragma once
// Patterns as redis takes them (KEYS, COMMAND LIST FILTERBY PATTERN): * ? [abc] [^a-z] and \ before a literal.

#include <string_view>

namespace overlord::redis {

// ASCII letters of pattern and text match in either case. Time is at most pattern x text.
bool glob_match(std::string_view pattern, std::string_view text);
// The same with letters as they are, as redis matches keys and channels.
bool glob_match_exact(std::string_view pattern, std::string_view text);

}  // namespace overlord::redis
