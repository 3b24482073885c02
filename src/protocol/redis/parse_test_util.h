#pragma once
// What a parse of some bytes gave, in a form that two parses can be compared by.

#include <string>
#include <string_view>
#include <vector>

#include "protocol/redis/request_parser.h"

namespace overlord::redis::test {

struct Parsed {
  ParseStatus status = ParseStatus::incomplete;
  size_t size = 0;
  bool is_inline = false;
  std::vector<std::string> args;
  std::string wire;
  std::string error;
  bool operator==(const Parsed&) const = default;
};

inline Parsed result_of(RequestParser& parser, ParseStatus status) {
  Parsed out;
  out.status = status;
  if (status == ParseStatus::error) out.error = parser.error();
  if (status == ParseStatus::complete || status == ParseStatus::skip) out.size = parser.size();
  if (status != ParseStatus::complete) return out;
  out.is_inline = parser.is_inline();
  out.wire = parser.wire();
  ArgCursor cursor(parser);
  while (cursor.next()) out.args.emplace_back(cursor.value());
  return out;
}

inline Parsed parse_once(std::string_view bytes, RequestLimits limits = {}) {
  RequestParser parser(limits);
  return result_of(parser, parser.parse(bytes));
}

// Gives the parser bytes[0, n) for each n of cuts, then all, each time from another place in memory, and stops at the
// first answer that is not `incomplete`.
inline Parsed parse_pieces(std::string_view bytes, const std::vector<size_t>& cuts, RequestLimits limits = {}) {
  RequestParser parser(limits);
  std::string memory;
  for (const size_t cut : cuts) {
    std::string fresh(bytes.substr(0, cut));
    fresh.shrink_to_fit();
    memory.swap(fresh);
    const ParseStatus status = parser.parse(memory);
    if (status != ParseStatus::incomplete) return result_of(parser, status);
  }
  return result_of(parser, parser.parse(bytes));
}

}  // namespace overlord::redis::test
