#include "config/problem.h"

#include <algorithm>
#include <tuple>

namespace overlord::config {

std::string format(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line != 0) {
    text += ':' + std::to_string(problem.line);
    if (problem.column != 0) text += ':' + std::to_string(problem.column);
  }
  text += problem.severity == Problem::Severity::error ? ": error: " : ": warning: ";
  if (!problem.key.empty()) text += problem.key + ": ";
  text += problem.message;
  if (!problem.fix.empty()) text += "; " + problem.fix;
  return printable(text);
}

std::string printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

bool has_error(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& problem) { return problem.severity == Problem::Severity::error; });
}

void sort_by_position(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tuple(a.line, a.column) < std::tuple(b.line, b.column);
  });
}

}  // namespace overlord::config
