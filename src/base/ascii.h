#pragma once
// Letters of ASCII without regard to the locale.

#include <string>

namespace overlord {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline std::string lower_case(std::string text) {
  for (char& c : text) c = lower(c);
  return text;
}

}  // namespace overlord
