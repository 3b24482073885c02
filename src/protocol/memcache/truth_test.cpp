// The parser against a running memcached. Two properties, on the hand-written cases and on generated lines:
//  - what the parser accepts, memcached answers with exactly one reply (none with noreply), and never refuses;
//  - what the parser refuses, memcached refuses with the same words (or the same silence),
// but for the differences listed here, each of which is shown to be one.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/memcache/live_memcached.h"
#include "protocol/memcache/request_cases.h"

namespace overlord::memcache {
namespace {

constexpr Limits kLimits{.max_value = 1 << 20};  // as the memcached of these tests has it

using Words = std::vector<std::string_view>;

Words split(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  Words words;
  KeyCursor cursor(line);
  for (std::string_view word = cursor.next(); !word.empty(); word = cursor.next()) words.push_back(word);
  return words;
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool control_bytes(const Words& words) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return std::any_of(word.begin(), word.end(), control); });
}

bool odd_number(const Words& words) {
  return std::any_of(words.begin(), words.end(), [](std::string_view word) {
    const bool sign = !word.empty() && (word.front() == '+' || word.front() == '-');
    std::string_view digits = word.substr(sign ? 1 : 0);
    if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return false;
    if (word.front() == '+') return true;
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    if (sign && digits.empty()) return true;
    return digits.size() > 10 || (digits.size() == 10 && digits > "2147483645");
  });
}

bool not_served(const Words& words) {
  if (words.empty()) return false;
  if (words[0] == "stats") {
    return words.size() > 1 &&
           one_of(words[1], {"detail", "cachedump", "sizes_enable", "sizes_disable", "extstore", "proxy"});
  }
  return one_of(words[0],
                {"mg", "ms", "md", "ma", "mn", "me", "bget", "slabs", "lru", "lru_crawler", "watch", "shutdown",
                 "cache_memlimit", "refresh_certs", "extstore", "misbehave", "debugtime", "auth", "sasl"});
}

// Requests that we refuse and memcached 1.6.18 does not, or with other words.
struct Difference {
  std::string reason;
  bool (*applies)(const Words&);
  std::string example;               // line and value
  std::vector<std::string> answers;  // memcached's; empty and closes = it closes
  bool closes = false;
};

const std::vector<Difference> kDifferences = {
    {"control bytes: memcached cuts the line at a NUL and takes others into the key",
     control_bytes,
     std::string("get a\0b\r\n", 9),
     {"END\r\n"}},
    {"control bytes: a tab is a byte of the key", control_bytes, "delete a\tb\r\n", {"NOT_FOUND\r\n"}},
    {"numbers: a sign is taken where only digits are meant", odd_number, "incr k +1\r\n", {"NOT_FOUND\r\n"}},
    {"numbers: a length is cut to 32 bits, and a value of 5 bytes is read",
     odd_number,
     "set n 0 0 4294967301\r\nhello\r\n",
     {"STORED\r\n"}},
    {"numbers: flags are cut to 32 bits", odd_number, "set n 4294967296 0 1\r\n1\r\n", {"STORED\r\n"}},
    {"numbers: expiry times are cut to 32 bits; later versions refuse them",
     odd_number,
     "set n 0 2147483648 1\r\n1\r\n",
     {"STORED\r\n"}},
    {"gat without a key answers END; later versions answer ERROR",
     [](const Words& words) { return words.size() == 2 && one_of(words[0], {"gat", "gats"}); },
     "gat 0\r\n",
     {"END\r\n"}},
    {"commands of one server, and of protocols that the proxy does not speak", not_served, "bget k\r\n", {"END\r\n"}},
    {"commands of one server: lists without END", not_served, "stats sizes_disable\r\n", {}},
    {"HTTP: cut off on some lines only",
     [](const Words& words) { return words.size() > 1 && words.back().starts_with("HTTP/"); },
     "getx / HTTP/1.1\r\n",
     {"ERROR\r\n"}},
    {"HTTP: cut off",
     [](const Words& words) { return !words.empty() && words.back().starts_with("HTTP/"); },
     "GET / HTTP/1.1\r\n",
     {},
     true},
};

bool differs(std::string_view line) {
  const Words words = split(line);
  return std::any_of(kDifferences.begin(), kDifferences.end(), [&](const Difference& d) { return d.applies(words); });
}

class MemcacheTruth : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.connect()) << "memcached did not start; is it installed?"; }

  std::optional<std::vector<std::string>> ask(std::string_view bytes) {
    auto replies = server_.ask(bytes, why_);
    if (!replies) {
      EXPECT_TRUE(server_.connect());
    }
    return replies;
  }

  // One line with its line end, without a value.
  void check(const std::string& line) {
    SCOPED_TRACE(testing::PrintToString(line));
    Request request;
    const ParseStatus status = parse_request(line, kLimits, request);
    switch (status) {
      case ParseStatus::complete:
      case ParseStatus::value: check_accepted(line, request); return;
      case ParseStatus::refused: check_refused(line, request); return;
      case ParseStatus::fatal: ++fatal_; return;
      case ParseStatus::incomplete: FAIL() << "incomplete";
    }
  }

  void check_accepted(const std::string& line, const Request& request) {
    ++accepted_;
    ASSERT_EQ(request.line_size, line.size());
    std::string value;
    if (is_storage(request.verb)) value = std::string(request.value_size, 'v') + "\r\n";
    const std::string canonical = std::string(request.head) + "\r\n" + value;
    if (request.canonical) {
      ASSERT_EQ(canonical, line + value);
    }
    if (request.verb == Verb::quit) {
      ASSERT_FALSE(ask(canonical));
      ASSERT_EQ(why_, "closed");
      return;
    }
    const auto as_sent = ask(line + value);
    ASSERT_TRUE(as_sent) << why_;
    ASSERT_EQ(as_sent->size(), request.noreply ? 0u : 1u);
    const auto as_forwarded = ask(canonical);
    ASSERT_TRUE(as_forwarded) << why_;
    ASSERT_EQ(as_forwarded->size(), 1u);
    for (const std::string_view refusal : {kError, kBadFormat, kBadDelete, kBadDelta, kBadExptime, kBadDataChunk}) {
      ASSERT_NE(as_forwarded->front(), refusal);
    }
  }

  void check_refused(const std::string& line, const Request& request) {
    if (differs(line)) {
      ++different_;
      return;
    }
    // memcached drops the value only of a line that it understood; behind other bad lines it would run as commands.
    std::string wire = line;
    if (request.error == kTooLarge || (request.error.empty() && request.swallow > kLimits.max_value)) {
      if (request.swallow > (8u << 20)) {
        ++huge_;  // memcached answers when it has dropped the value, which takes too long to send here
        return;
      }
      wire += std::string(request.swallow, 'v');
    }
    ++refused_;
    const auto replies = ask(wire);
    ASSERT_TRUE(replies) << why_;
    ASSERT_EQ(replies->size(), request.error.empty() ? 0u : 1u);
    if (!request.error.empty()) {
      ASSERT_EQ(replies->front(), request.error);
    }
  }

  LiveMemcached server_;
  std::string why_;
  size_t accepted_ = 0, refused_ = 0, different_ = 0, fatal_ = 0, huge_ = 0;
};

TEST_F(MemcacheTruth, HandWrittenCases) {
  for (const Good& good : kGood) check(good.wire.substr(0, good.wire.find('\n') + 1));
  for (const Bad& bad : kBad) check(bad.line.substr(0, bad.line.find('\n') + 1));
  check("set big 0 0 1048577\r\n");
  check("set big 0 0 1048577 noreply\r\n");
  EXPECT_GE(accepted_, kGood.size());
  EXPECT_GT(refused_, kBad.size() / 2);
}

TEST_F(MemcacheTruth, TheDifferencesAreSuch) {
  for (const Difference& difference : kDifferences) {
    SCOPED_TRACE(difference.reason);
    EXPECT_TRUE(difference.applies(split(difference.example.substr(0, difference.example.find('\n')))));
    Request request;
    const ParseStatus status = parse_request(difference.example, kLimits, request);
    EXPECT_TRUE(status == ParseStatus::refused || status == ParseStatus::fatal);
    ASSERT_TRUE(ask(""));
    const auto replies = ask(difference.example);
    ASSERT_EQ(!replies, difference.closes) << why_;
    if (replies) {
      EXPECT_EQ(*replies, difference.answers);
    }
  }
}

// A bad closing of the value: memcached reads exactly length + 2 bytes and goes on behind them.
TEST_F(MemcacheTruth, WhereItGoesOnBehindABadDataChunk) {
  const auto longer = ask("set k 0 0 3\r\nabcdef\r\n");
  ASSERT_TRUE(longer) << why_;
  EXPECT_EQ(*longer, (std::vector<std::string>{std::string(kBadDataChunk), "ERROR\r\n"}));
  const auto silent = ask("set k 0 0 3 noreply\r\nabcxy");
  ASSERT_TRUE(silent) << why_;
  EXPECT_TRUE(silent->empty());
}

class Generator {
 public:
  std::string line() {
    std::string text = pick({"", "", "", "", "", "", " ", "   "});
    text += verb();
    for (const std::string& word : arguments(text)) text += blank() + word;
    if (one_in(6)) text += blank() + pick({"noreply", "noreply", "noreply", "Noreply", "noreplyx", "foo", "0"});
    if (one_in(12)) text += pick({" ", "  "});
    if (one_in(10)) mutate(text);
    return text + pick({"\r\n", "\r\n", "\r\n", "\n"});
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }
  std::string pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }
  std::string blank() { return one_in(15) ? "  " : " "; }

  std::string verb() {
    static const std::vector<std::string> odd = {"GET",      "Set",      "getx",     "g",    "gett", "quitx",
                                                 "versionx", "flush_al", "verbosit", "cas2", "",     "mset",
                                                 "ad",       "incr1",    "de",       "stat"};
    // quit closes the connection: seldom.
    if (one_in(12)) return pick(odd);
    const auto verbs = static_cast<unsigned>(one_in(20) ? Verb::quit : Verb::stats) + 1;
    return std::string(verb_name(static_cast<Verb>(random_() % verbs)));
  }

  std::string key() {
    if (one_in(25)) return std::string(249 + random_() % 4, 'k');
    return pick({"a", "b", "k1", "key:with:colons", "noreply", "0", "\xd0\xba\xd0\xbb", "x\xff\x80", "a+b=c/d"});
  }

  std::string number() {
    if (one_in(4)) {
      return pick({"-1",
                   "-2",
                   "007",
                   "x",
                   "1x",
                   "1.5",
                   "0x10",
                   "1e3",
                   "-",
                   "+",
                   "--1",
                   "noreply",
                   "2147483647",
                   "-2147483648",
                   "4294967295",
                   "18446744073709551615",
                   "18446744073709551616",
                   "+1",
                   "-0",
                   "2147483648",
                   "\xd9\xa1"});
    }
    return pick({"0", "1", "2", "3", "10", "60"});
  }

  std::vector<std::string> arguments(std::string_view text) {
    const Words words = split(text);
    const std::string_view name = words.empty() ? std::string_view{} : words[0];
    std::vector<std::string> made;
    if (one_of(name, {"gat", "gats", "verbosity"}) || (name == "flush_all" && one_in(2))) made.push_back(number());
    if (name == "stats" && one_in(2))
      made.push_back(pick({"settings", "items", "slabs", "sizes", "conns", "foo", "reset"}));
    if (name.starts_with("g")) {
      for (size_t keys = one_in(10) ? 60 : 1 + random_() % 4; keys > 0; --keys) made.push_back(key());
    } else if (!one_of(name, {"version", "verbosity", "flush_all", "stats", "quit"})) {
      made.push_back(key());
    }
    size_t numbers = 0;
    if (one_of(name, {"set", "add", "replace", "append", "prepend", "cas"})) numbers = name == "cas" ? 4 : 3;
    if (one_of(name, {"incr", "decr", "touch"}) || (name == "delete" && one_in(4))) numbers = 1;
    while (numbers-- > 0) made.push_back(number());
    if (one_in(12) && !made.empty()) made.erase(made.begin() + static_cast<std::ptrdiff_t>(random_() % made.size()));
    if (one_in(12)) made.insert(made.begin() + static_cast<std::ptrdiff_t>(random_() % (made.size() + 1)), number());
    return made;
  }

  void mutate(std::string& text) {
    if (text.empty()) return;
    const size_t at = random_() % text.size();
    switch (random_() % 4) {
      case 0: text.erase(at, 1); break;
      case 1: text.insert(at, 1, ' '); break;
      case 2: text[at] = static_cast<char>('0' + random_() % 75); break;
      default: {
        char byte = static_cast<char>(random_());
        if (byte == '\n' || (at == 0 && byte == '\x80')) byte = '\r';
        text[at] = byte;
      }
    }
  }

  std::mt19937 random_{20201};
};

TEST_F(MemcacheTruth, GeneratedLines) {
  Generator generator;
  constexpr size_t kLines = 20000;
  for (size_t i = 0; i < kLines && !HasFatalFailure(); ++i) check(generator.line());
  // The generator is worth something only when it reaches every outcome often.
  EXPECT_GT(accepted_, kLines / 3);
  EXPECT_GT(refused_, kLines / 10);
  EXPECT_LT(different_ + fatal_ + huge_, kLines / 5);
  std::cout << accepted_ << " accepted, " << refused_ << " refused, " << different_ << " different on purpose, "
            << fatal_ << " fatal, " << huge_ << " too big to send\n";
}

}  // namespace
}  // namespace overlord::memcache
