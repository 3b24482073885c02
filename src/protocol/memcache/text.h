#pragma once
// Lines of the memcached text protocol that the proxy itself writes, each with its line end.
// Source: memcached's doc/protocol.txt; the refusals are worded as memcached 1.6.18 words them.

#include <string_view>

namespace overlord::memcache {

inline constexpr std::string_view kCrlf = "\r\n";
inline constexpr std::string_view kEnd = "END\r\n";
inline constexpr std::string_view kOk = "OK\r\n";
inline constexpr std::string_view kReset = "RESET\r\n";
inline constexpr std::string_view kVersionPrefix = "VERSION ";  // number and CRLF follow
inline constexpr std::string_view kStatPrefix = "STAT ";        // name, blank, value and CRLF follow

// Refusals of the request line.
inline constexpr std::string_view kError = "ERROR\r\n";
inline constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format\r\n";
inline constexpr std::string_view kBadDelete =
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
inline constexpr std::string_view kBadDelta = "CLIENT_ERROR invalid numeric delta argument\r\n";
inline constexpr std::string_view kBadExptime = "CLIENT_ERROR invalid exptime argument\r\n";
inline constexpr std::string_view kTooLarge = "SERVER_ERROR object too large for cache\r\n";
inline constexpr std::string_view kLineTooLong = "CLIENT_ERROR line too long\r\n";
// The value's closing CRLF is not where the length says. memcached reads exactly length + 2 bytes, answers this
// and takes what follows for the next command; so does the proxy.
inline constexpr std::string_view kBadDataChunk = "CLIENT_ERROR bad data chunk\r\n";
inline constexpr std::string_view kPermissionDenied = "CLIENT_ERROR permission denied\r\n";
inline constexpr std::string_view kFlushNotAllowed = "CLIENT_ERROR flush_all not allowed\r\n";

// Refusals of meta commands.
inline constexpr std::string_view kMetaNoop = "MN\r\n";
inline constexpr std::string_view kMetaDuplicateFlag = "CLIENT_ERROR duplicate flag\r\n";       // mg, ms
inline constexpr std::string_view kMetaInvalidFlag = "CLIENT_ERROR invalid flag\r\n";           // mg, ms
inline constexpr std::string_view kMetaBadKey = "CLIENT_ERROR error decoding key\r\n";          // mg, ms
inline constexpr std::string_view kMetaBadFlag = "CLIENT_ERROR invalid or duplicate flag\r\n";  // md, ma: all these
inline constexpr std::string_view kMetaBadToken = "CLIENT_ERROR bad token in command line format\r\n";
inline constexpr std::string_view kMetaBadDelta = "CLIENT_ERROR invalid numeric delta value\r\n";
inline constexpr std::string_view kMetaBadInitial = "CLIENT_ERROR invalid numeric initial value\r\n";
inline constexpr std::string_view kMetaBadModeLength = "CLIENT_ERROR incorrect length for M token\r\n";
inline constexpr std::string_view kMetaBadSetMode = "CLIENT_ERROR invalid mode for ms M token\r\n";
inline constexpr std::string_view kMetaBadArithmeticMode = "CLIENT_ERROR invalid mode for ma M token\r\n";
inline constexpr std::string_view kMetaLongOpaque = "CLIENT_ERROR opaque token too long\r\n";
inline constexpr std::string_view kMetaGetTooManyFlags = "CLIENT_ERROR options flags are too long\r\n";
inline constexpr std::string_view kMetaTooManyFlags = "CLIENT_ERROR options flags too long\r\n";
// What a node without meta commands cannot be asked.
inline constexpr std::string_view kNotInClassic =
    "CLIENT_ERROR flag not possible with a backend without meta commands\r\n";
inline constexpr std::string_view kCommandNotInClassic =
    "CLIENT_ERROR command not possible with a backend without meta commands\r\n";
inline constexpr std::string_view kKeyNotInClassic =
    "CLIENT_ERROR key not possible with a backend without meta commands\r\n";
inline constexpr std::string_view kMadeMeanwhile = "SERVER_ERROR item made by another client meanwhile, try again\r\n";

// What a node that speaks binary only cannot be asked.
inline constexpr std::string_view kNotInBinary = "CLIENT_ERROR flag not possible with a binary backend\r\n";
inline constexpr std::string_view kCommandNotInBinary = "CLIENT_ERROR command not possible with a binary backend\r\n";

// Answers that a node's binary replies are put into.
inline constexpr std::string_view kNotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
inline constexpr std::string_view kStoreOutOfMemory = "SERVER_ERROR out of memory storing object\r\n";

// Failures behind the proxy. All are SERVER_ERROR: clients keep the connection and may try again.
inline constexpr std::string_view kNoBackend = "SERVER_ERROR no backend\r\n";
inline constexpr std::string_view kBackendDown = "SERVER_ERROR backend down\r\n";
inline constexpr std::string_view kBackendTimeout = "SERVER_ERROR backend timeout\r\n";
inline constexpr std::string_view kBackendClosed = "SERVER_ERROR backend closed the connection\r\n";
inline constexpr std::string_view kBackendGarbage = "SERVER_ERROR backend answered outside the protocol\r\n";
inline constexpr std::string_view kBackendBusy = "SERVER_ERROR backend queue full\r\n";
inline constexpr std::string_view kOutOfMemory = "SERVER_ERROR out of memory\r\n";
inline constexpr std::string_view kTooManyConnections = "SERVER_ERROR too many open connections\r\n";

}  // namespace overlord::memcache
