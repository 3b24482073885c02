#pragma once
// Bytes of unknown origin as text that can neither forge a line nor break its reader: what is valid UTF-8 and not a
// control character stays, everything else is escaped. The result is always valid UTF-8.

#include <string>
#include <string_view>

namespace overlord {

// Control characters and bytes that are not UTF-8 as \xNN.
void append_one_line(std::string& out, std::string_view text);

// The inside of a JSON string (without the quotes). Control characters as JSON has them; bytes that are not UTF-8,
// which JSON cannot express, as the four characters \xNN.
void append_json_text(std::string& out, std::string_view text);

}  // namespace overlord
