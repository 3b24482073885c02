#pragma once
// The error lines that end a client connection. Texts are redis-server's, where it has one for the case.

#include <string_view>

namespace overlord::redis {

inline constexpr std::string_view kInvalidCount = "-ERR Protocol error: invalid multibulk length\r\n";
inline constexpr std::string_view kInvalidLength = "-ERR Protocol error: invalid bulk length\r\n";
inline constexpr std::string_view kTooBigInline = "-ERR Protocol error: too big inline request\r\n";
inline constexpr std::string_view kTooBigCount = "-ERR Protocol error: too big mbulk count string\r\n";
inline constexpr std::string_view kTooBigLength = "-ERR Protocol error: too big bulk count string\r\n";
inline constexpr std::string_view kGuestCount = "-ERR Protocol error: unauthenticated multibulk length\r\n";
inline constexpr std::string_view kGuestLength = "-ERR Protocol error: unauthenticated bulk length\r\n";
inline constexpr std::string_view kUnbalancedQuotes = "-ERR Protocol error: unbalanced quotes in request\r\n";
// Ours: the server skips two bytes behind a bulk, keeps waiting for the line end behind a NUL, has no bound in bytes.
inline constexpr std::string_view kNoLineEnd = "-ERR Protocol error: bulk not followed by CRLF\r\n";
inline constexpr std::string_view kNulInline = "-ERR Protocol error: NUL in inline request\r\n";
inline constexpr std::string_view kTooBigMessage = "-ERR Protocol error: too big request\r\n";

// "-ERR Protocol error: expected '$', got 'x'"; CR, LF and NUL are shown as the server shows them.
std::string_view expected_dollar(char got);

}  // namespace overlord::redis
