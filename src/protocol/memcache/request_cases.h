#pragma once
// Request lines and what becomes of them: test data, checked on the parser alone by request_parser_test.cpp and
// against a running memcached by truth_test.cpp.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/memcache/request_parser.h"

namespace overlord::memcache {

inline const std::string kLongest(250, 'k');
inline const std::string kTooLong(251, 'k');

// Whole requests that are served.
struct Good {
  std::string wire;
  Verb verb;
  std::string head;
  std::string key;
  bool noreply = false;
  bool canonical = true;
};

inline const std::vector<Good> kGood = {
    {"get k\r\n", Verb::get, "get k", "k"},
    {"get 01234567890123456789012345678901\r\n", Verb::get, "get 01234567890123456789012345678901",
     "01234567890123456789012345678901"},
    {"get abcd\n", Verb::get, "get abcd", "abcd", false, false},
    {"  get   abcd  \r\n", Verb::get, "get   abcd", "abcd", false, false},
    {"get \xd1\x8f\xff\r\n", Verb::get, "get \xd1\x8f\xff", "\xd1\x8f\xff"},
    {"get " + kLongest + "\r\n", Verb::get, "get " + kLongest, kLongest},
    {"get noreply\r\n", Verb::get, "get noreply", "noreply"},
    {"gets a b\r\n", Verb::gets, "gets a b", "a"},
    {"gat 0 a\r\n", Verb::gat, "gat 0 a", "a"},
    {"gats -1 a bb\r\n", Verb::gats, "gats -1 a bb", "a"},
    {"set k 0 0 5\r\nhello\r\n", Verb::set, "set k 0 0 5", "k"},
    {"set k 0 0 5\nhello\r\n", Verb::set, "set k 0 0 5", "k", false, false},
    {"set k 0 0 005 \r\nhello\r\n", Verb::set, "set k 0 0 005", "k", false, false},
    {"set k 4294967295 2147483647 0\r\n\r\n", Verb::set, "set k 4294967295 2147483647 0", "k"},
    {"set k 0 -2147483648 0\r\n\r\n", Verb::set, "set k 0 -2147483648 0", "k"},
    {"set k 0 0 5 noreply\r\nhello\r\n", Verb::set, "set k 0 0 5", "k", true, false},
    {"set k 0 0 5 foonoreplybar\r\nhello\r\n", Verb::set, "set k 0 0 5", "k", false, false},
    {"set noreply 0 0 0\r\n\r\n", Verb::set, "set noreply 0 0 0", "noreply"},
    {"add k 0 0 0 noreply\r\n\r\n", Verb::add, "add k 0 0 0", "k", true, false},
    {"replace k 0 0 0 noreply\r\n\r\n", Verb::replace, "replace k 0 0 0", "k", true, false},
    {"append k 0 0 0 noreply\r\n\r\n", Verb::append, "append k 0 0 0", "k", true, false},
    {"prepend k 0 0 0 noreply\r\n\r\n", Verb::prepend, "prepend k 0 0 0", "k", true, false},
    {"cas k 0 0 1 18446744073709551615\r\nx\r\n", Verb::cas, "cas k 0 0 1 18446744073709551615", "k"},
    {"cas k 0 0 1 7 noreply\r\nx\r\n", Verb::cas, "cas k 0 0 1 7", "k", true, false},
    {"incr k 18446744073709551615\r\n", Verb::incr, "incr k 18446744073709551615", "k"},
    {"incr k 1 noreply\r\n", Verb::incr, "incr k 1", "k", true, false},
    {"decr k 1 foo\r\n", Verb::decr, "decr k 1", "k", false, false},
    {"decr k 1 noreply\r\n", Verb::decr, "decr k 1", "k", true, false},
    {"touch k 10\r\n", Verb::touch, "touch k 10", "k"},
    {"touch k 10 noreply\r\n", Verb::touch, "touch k 10", "k", true, false},
    {"delete k\r\n", Verb::delete_, "delete k", "k"},
    {"delete noreply\r\n", Verb::delete_, "delete noreply", "noreply"},
    {"delete k 0\r\n", Verb::delete_, "delete k", "k", false, false},
    {"delete k noreply\r\n", Verb::delete_, "delete k", "k", true, false},
    {"delete k 0 noreply\r\n", Verb::delete_, "delete k", "k", true, false},
    {"version\r\n", Verb::version, "version", ""},
    {"version noreply\r\n", Verb::version, "version", "", false, false},
    {"verbosity 1\r\n", Verb::verbosity, "verbosity 1", ""},
    {"verbosity 1 noreply\r\n", Verb::verbosity, "verbosity 1", "", true, false},
    {"flush_all\r\n", Verb::flush_all, "flush_all", ""},
    {"flush_all noreply\r\n", Verb::flush_all, "flush_all", "", true, false},
    {"flush_all 10\r\n", Verb::flush_all, "flush_all 10", ""},
    {"flush_all 10 noreply\r\n", Verb::flush_all, "flush_all 10", "", true, false},
    {"stats\r\n", Verb::stats, "stats", ""},
    {"stats items x\r\n", Verb::stats, "stats items", "", false, false},
    {"quit\r\n", Verb::quit, "quit", ""},
};

// Lines that are refused, without the value that belongs to them.
struct Bad {
  std::string line;
  std::string_view error;
  uint64_t swallow = 0;
};

inline const std::vector<Bad> kBad = {
    {"\r\n", kError},
    {"\n", kError},
    {"   \r\n", kError},
    {"GET k\r\n", kError},
    {"getx k\r\n", kError},
    {"get\r\n", kError},
    {"get \r\n", kError},
    {"gets   \n", kError},
    {"gat\r\n", kError},
    {"gat 0\r\n", kError},
    {"gat x k\r\n", kBadExptime},
    {"gat 0x1 k\r\n", kBadExptime},
    {"gat 2147483648 k\r\n", kBadExptime},
    {"gat 0 " + kTooLong + "\r\n", kBadFormat},
    {"get " + kTooLong + "\r\n", kBadFormat},
    {"get a " + kTooLong + " b\r\n", kBadFormat},
    {std::string("get a\0b\r\n", 9), kBadFormat},
    {"get abcdefgh\tijk\r\n", kBadFormat},
    {"get abcdefgh\x7f\r\n", kBadFormat},
    {"get abcdefgh\r\r\n", kBadFormat},
    {"get ab\rcdefgh\n", kBadFormat},
    {"get\tk\r\n", kError},
    {"set\r\n", kError},
    {"set k 0 0\r\n", kError},
    {"set k 0 0 5 noreply x\r\n", kError, 7},
    {"set k 0 0 -20\r\n", kBadFormat},
    {"set k 0 0 x\r\n", kBadFormat},
    {"set k 0 0 +5\r\n", kBadFormat},
    {"set k 0 0 2147483645\r\n", kTooLarge, 2147483647},
    {"set k 0 0 2147483646\r\n", kBadFormat},
    {"set k 0 0 4294967301\r\n", kBadFormat},
    {"set k 0 0 99999999999999999999\r\n", kBadFormat},
    {"set k x 0 5\r\n", kBadFormat, 7},
    {"set k -1 0 5\r\n", kBadFormat, 7},
    {"set k 4294967296 0 5\r\n", kBadFormat, 7},
    {"set k 0 x 5\r\n", kBadFormat, 7},
    {"set k 0 2147483648 5\r\n", kBadFormat, 7},
    {"set k 0 0 noreply\r\n", ""},
    {"set k 0 0 -1 noreply\r\n", ""},
    {"set k x 0 5 noreply\r\n", "", 7},
    {"set " + kTooLong + " 0 0 5\r\n", kBadFormat, 7},
    {"set " + kTooLong + " 0 0 5 noreply\r\n", "", 7},
    {"set a\tb 0 0 5\r\n", kBadFormat, 7},
    {"cas k 0 0 3\r\n", kError, 5},
    {"cas k 0 0 3 x\r\n", kBadFormat, 5},
    {"cas k 0 0 3 -1\r\n", kBadFormat, 5},
    {"cas k 0 0 3 noreply\r\n", "", 5},
    {"cas k 0 0 3 18446744073709551616\r\n", kBadFormat, 5},
    {"incr k\r\n", kError},
    {"incr k 1 2 3\r\n", kError},
    {"incr k x\r\n", kBadDelta},
    {"incr k -1\r\n", kBadDelta},
    {"incr k 18446744073709551616\r\n", kBadDelta},
    {"incr k x noreply\r\n", ""},
    {"incr k noreply\r\n", ""},
    {"decr " + kTooLong + " x\r\n", kBadFormat},
    {"touch k\r\n", kError},
    {"touch k x\r\n", kBadExptime},
    {"touch k noreply\r\n", ""},
    {"touch " + kTooLong + " x\r\n", kBadFormat},
    {"delete\r\n", kError},
    {"delete k 1\r\n", kBadDelete},
    {"delete k 00\r\n", kBadDelete},
    {"delete k 0 foo\r\n", kBadDelete},
    {"delete k 1 noreply\r\n", ""},
    {"delete k 0 0 0\r\n", kError},
    {"delete " + kTooLong + "\r\n", kBadFormat},
    {"verbosity\r\n", kError},
    {"verbosity x\r\n", kBadFormat},
    {"verbosity 0 0 noreply\r\n", kError},
    {"verbosity noreply\r\n", ""},
    {"flush_all x\r\n", kBadExptime},
    {"flush_all noreply noreply\r\n", ""},
    {"flush_all 0 0 0\r\n", kError},
    {"stats foo\r\n", kError},
    {"stats detail on\r\n", kError},
    // One line each: the line feed inside ends it, the rest is the next request.
    {"incr k 1 x y\nflush_all\r\n", kError},
    {"touch k x\nflush_all\r\n", kBadExptime},
};

}  // namespace overlord::memcache
