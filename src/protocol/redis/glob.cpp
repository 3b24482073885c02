#include "protocol/redis/glob.h"

#include <utility>

#include "protocol/redis/command_lookup.h"

namespace overlord::redis {
namespace {

struct AnyCase {
  static char of(char c) { return lower(c); }
};
struct ExactCase {
  static char of(char c) { return c; }
};

// Takes the set behind '[' off the pattern. An unfinished set ends with the pattern.
template <typename Case>
bool take_set(std::string_view& pattern, char c) {
  bool matches = false;
  const bool negated = pattern.starts_with('^');
  if (negated) pattern.remove_prefix(1);
  while (!pattern.empty() && pattern.front() != ']') {
    if (pattern.front() == '\\' && pattern.size() >= 2) pattern.remove_prefix(1);
    char low = Case::of(pattern.front());
    char high = low;
    if (pattern.size() >= 3 && pattern[1] == '-') {
      high = Case::of(pattern[2]);
      if (high < low) std::swap(low, high);
      pattern.remove_prefix(2);
    }
    pattern.remove_prefix(1);
    matches = matches || (c >= low && c <= high);
  }
  if (!pattern.empty()) pattern.remove_prefix(1);
  return matches != negated;
}

// Takes what stands for one character off a pattern that is not empty; whether c fits it.
template <typename Case>
bool take_one(std::string_view& pattern, char c) {
  const char p = pattern.front();
  pattern.remove_prefix(1);
  if (p == '?') return true;
  if (p == '[') return take_set<Case>(pattern, c);
  if (p != '\\' || pattern.empty()) return Case::of(p) == c;
  const char literal = pattern.front();
  pattern.remove_prefix(1);
  return Case::of(literal) == c;
}

template <typename Case>
bool match(std::string_view pattern, std::string_view text) {
  // Only the last '*' has to be gone back to: an earlier one can not find what it has not.
  std::string_view star_pattern;
  std::string_view star_text;
  bool starred = false;
  for (;;) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      star_pattern = pattern;
      star_text = text;
      starred = true;
      continue;
    }
    if (text.empty() && pattern.empty()) return true;
    if (!text.empty() && !pattern.empty() && take_one<Case>(pattern, Case::of(text.front()))) {
      text.remove_prefix(1);
      continue;
    }
    if (!starred || star_text.empty()) return false;
    star_text.remove_prefix(1);
    pattern = star_pattern;
    text = star_text;
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) { return match<AnyCase>(pattern, text); }

bool glob_match_exact(std::string_view pattern, std::string_view text) { return match<ExactCase>(pattern, text); }

}  // namespace overlord::redis
