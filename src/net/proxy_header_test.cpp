// PROXY headers: every form of the document, every cut, and what is none. The reader runs on both drivers.

#include "net/proxy_header.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "net/loop_fixture.h"
#include "net/proxy_header_reader.h"

namespace overlord::net {
namespace {

using namespace std::string_literals;
using State = ParsedProxyHeader::State;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string sized(const std::string& block) {
  return std::string{static_cast<char>(block.size() >> 8), static_cast<char>(block.size())} + block;
}
std::string block(char command, char family, const std::string& rest) {
  return kSignature + command + family + sized(rest);
}
std::string tlv(char type, const std::string& value) { return type + sized(value); }

const std::string kInet = "\x0a\x01\x02\x03\x0a\x09\x08\x07\x30\x39\x01\xbb"s;  // 10.1.2.3:12345 to 10.9.8.7:443
const std::string kPlainBlock = block(0x21, 0x11, kInet);

std::string shown(const ParsedProxyHeader& parsed) {
  switch (parsed.state) {
    case State::need_more: return "more";
    case State::bad: return "bad: " + std::string(parsed.problem);
    case State::whole: break;
  }
  const std::string size = std::to_string(parsed.used);
  if (!parsed.header.tells) return size + " nobody";
  return size + " " + to_string(parsed.header.source) + " > " + to_string(parsed.header.destination);
}
std::string shown(std::string_view bytes) { return shown(parse_proxy_header(bytes)); }

TEST(ProxyHeader, Lines) {
  EXPECT_EQ(shown("PROXY TCP4 10.1.2.3 10.9.8.7 12345 443\r\nGET"), "40 10.1.2.3:12345 > 10.9.8.7:443");
  EXPECT_EQ(shown("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"), "44 255.255.255.255:65535 > 0.0.0.0:0");
  EXPECT_EQ(shown("PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 1 2\r\n"), "43 [2001:db8::1]:1 > [::ffff:1.2.3.4]:2");
  EXPECT_EQ(shown("PROXY UNKNOWN\r\n"), "15 nobody");
  EXPECT_EQ(shown("PROXY UNKNOWN whatever stands here \x01\r\nx"), "38 nobody");
  const std::string longest = "PROXY UNKNOWN ffff:f...f:ffff" + std::string(kMostProxyLine - 31, 'x') + "\r\n";
  EXPECT_EQ(shown(longest), "107 nobody");
}

TEST(ProxyHeader, WrongLines) {
  for (const char* line : {
           "PROXY TCP4 10.1.2.3 10.9.8.7 12345 443\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 12345\r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 12345 443 \r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 12345 443 5\r\n",
           "PROXY TCP4  10.1.2.3 10.9.8.7 12345 443\r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 012 443\r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 65536 443\r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7 -1 443\r\n",
           "PROXY TCP4 10.1.2.3 10.9.8.7  443\r\n",
           "PROXY TCP4 10.1.2.03 10.9.8.7 1 443\r\n",
           "PROXY TCP4 10.1.2 10.9.8.7 1 443\r\n",
           "PROXY TCP4 ::1 ::1 1 443\r\n",
           "PROXY TCP6 10.1.2.3 10.9.8.7 1 443\r\n",
           "PROXY TCP6 fe80::1%lo fe80::1 1 443\r\n",
           "PROXY TCP5 10.1.2.3 10.9.8.7 1 443\r\n",
           "PROXY \r\n",
           "PROXY UNKNOWNX\r\n",
           "PROXY UNKNOWN\n",
           "PROXY\r\n",
           "proxy TCP4 10.1.2.3 10.9.8.7 1 443\r\n",
           "*1\r\n$4\r\nPING\r\n",
           "get key\r\n",
           "\x80\x0a",
           "\x16\x03\x01",
           "\n",
       }) {
    EXPECT_EQ(parse_proxy_header(line).state, State::bad) << line;
  }
  EXPECT_EQ(shown("PROXY UNKNOWN " + std::string(kMostProxyLine, 'x')), "bad: its line does not end");
  EXPECT_EQ(shown("PROXY UNKNOWN " + std::string(kMostProxyLine - 15, 'x') + "\r\n"), "bad: its line does not end");
}

TEST(ProxyHeader, Blocks) {
  EXPECT_EQ(shown(kPlainBlock + "GET"), "28 10.1.2.3:12345 > 10.9.8.7:443");
  const std::string v6 =
      std::string(15, '\0') + '\1' + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + '\2' + "\0\1\0\2"s;
  EXPECT_EQ(shown(block(0x21, 0x21, v6)), "52 [::1]:1 > [2001:db8::2]:2");
  std::string paths(216, '\0');
  paths.replace(0, 4, "/a/b");
  paths.replace(108, 2, "/c");
  EXPECT_EQ(shown(block(0x21, 0x31, paths)), "232 unix:/a/b > unix:/c");
  EXPECT_EQ(shown(block(0x21, 0x31, std::string(216, 'p'))),
            "232 unix:" + std::string(108, 'p') + " > unix:" + std::string(108, 'p'));
  // Nobody is told of: LOCAL, an unspecified family, what is no stream.
  EXPECT_EQ(shown(block(0x20, 0x00, "")), "16 nobody");
  EXPECT_EQ(shown(block(0x20, 0x11, kInet)), "28 nobody");
  EXPECT_EQ(shown(block(0x20, 0x11, "cut")), "19 nobody");
  EXPECT_EQ(shown(block(0x21, 0x00, "anything")), "24 nobody");
  EXPECT_EQ(shown(block(0x21, 0x12, kInet)), "28 nobody");
  EXPECT_EQ(shown(block(0x21, 0x32, paths)), "232 nobody");
}

TEST(ProxyHeader, WrongBlocks) {
  EXPECT_EQ(shown(block(0x11, 0x11, kInet)), "bad: its version is unknown");
  EXPECT_EQ(shown(block(0x22, 0x11, kInet)), "bad: its command is unknown");
  EXPECT_EQ(shown(block(0x21, 0x41, kInet)), "bad: its family is unknown");
  EXPECT_EQ(shown(block(0x21, 0x13, kInet)), "bad: its family is unknown");
  EXPECT_EQ(shown(block(0x21, 0x11, kInet.substr(1))), "bad: its addresses are cut off");
  EXPECT_EQ(shown(block(0x21, 0x21, kInet)), "bad: its addresses are cut off");
  EXPECT_EQ(shown(block(0x21, 0x31, std::string(215, 'p'))), "bad: its addresses are cut off");
  EXPECT_EQ(shown(kSignature + "\x21\x11\xff\xff"), "bad: it is too long");
  EXPECT_EQ(shown(kSignature + "\x21\x11\x0f\xf1"), "bad: it is too long");
  std::string signature = kPlainBlock;
  signature[11] = '\r';
  EXPECT_EQ(shown(signature), "bad: the first bytes are none");
}

TEST(ProxyHeader, TlvsAreSkippedAndTheChecksumIsLookedAt) {
  const std::string tlvs = tlv(0x01, "h2") + tlv(0x04, "") + tlv(0x20, std::string(300, 's'));
  EXPECT_EQ(shown(block(0x21, 0x11, kInet + tlvs)), "339 10.1.2.3:12345 > 10.9.8.7:443");
  const std::string fill = kInet + tlv(0x04, std::string(kMostProxyBlock - 16 - 12 - 3, '\0'));
  EXPECT_EQ(shown(block(0x21, 0x11, fill)), "4096 10.1.2.3:12345 > 10.9.8.7:443");
  EXPECT_EQ(shown(block(0x21, 0x11, kInet + "\1")), "bad: a TLV of it is cut off");
  EXPECT_EQ(shown(block(0x21, 0x11, kInet + "\1\0\2x"s)), "bad: a TLV of it is cut off");
  // By the bitwise definition, over the block with four zeroes in its place.
  const auto summed = [](const std::string& sum) { return block(0x21, 0x11, kInet + tlv(0x03, sum) + tlv(0x04, "z")); };
  EXPECT_EQ(shown(summed("\x02\x7b\xee\x6c")), "39 10.1.2.3:12345 > 10.9.8.7:443");
  EXPECT_EQ(shown(summed("\0\0\0\0"s)), "bad: its checksum is wrong");
  EXPECT_EQ(shown(summed("abc")), "bad: its checksum has a wrong size");
}

TEST(ProxyHeader, EveryCutAsksForMore) {
  for (const std::string& whole : {"PROXY TCP4 10.1.2.3 10.9.8.7 12345 443\r\n"s, kPlainBlock}) {
    for (size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(shown(whole.substr(0, size)), "more") << size;
    EXPECT_EQ(parse_proxy_header(whole).used, whole.size());
  }
}

using Reader = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Reader, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

constexpr uint64_t kLong = uint64_t{600} * 1'000'000'000;

// The proxy's end of a connection, and the load balancer's.
struct Ends {
  explicit Ends(Loop& loop, uint64_t limit = kLong) : reader(loop, limit), ours(loop), theirs(loop) {
    auto fds = tcp_pair();
    reader.adopt(ours.stream, std::move(fds[0]), ours);
    loop.adopt(theirs.stream, std::move(fds[1]), theirs);
  }
  ProxyHeaderReader reader;
  Peer ours;
  Peer theirs;
};

TEST_P(Reader, HandsOverWhatIsBehindTheHeader) {
  Ends ends(*loop);
  send(ends.theirs.stream, kPlainBlock + "first");
  ASSERT_TRUE(run_until([&] { return ends.ours.received == "first"; }));
  EXPECT_EQ(to_string(ends.reader.header().source), "10.1.2.3:12345");
  send(ends.theirs.stream, kPlainBlock);  // only data now
  send(ends.ours.stream, "answer");
  ASSERT_TRUE(run_until([&] { return ends.ours.received == "first" + kPlainBlock; }));
  ASSERT_TRUE(run_until([&] { return ends.theirs.received == "answer"; }));
  loop->close(ends.theirs.stream);
  ASSERT_TRUE(run_until([&] { return ends.ours.ended || ends.ours.error != 0; }));
}

TEST_P(Reader, TakesAHeaderByteByByte) {
  Ends ends(*loop);
  for (const char byte : kPlainBlock + "x") {
    send(ends.theirs.stream, {&byte, 1});
    run_turns(3);
  }
  ASSERT_TRUE(run_until([&] { return ends.ours.received == "x"; }));
  EXPECT_TRUE(ends.reader.header().tells);
}

TEST_P(Reader, RefusesWhatIsNoHeader) {
  Ends ends(*loop);
  send(ends.theirs.stream, "GET / HTTP/1.0\r\n");
  ASSERT_TRUE(run_until([&] { return ends.ours.error != 0; }));
  EXPECT_EQ(ends.ours.error, EBADMSG);
  EXPECT_TRUE(ends.reader.problem().ends_with(": the first bytes are none")) << ends.reader.problem();
  EXPECT_TRUE(ends.ours.received.empty());
  ASSERT_TRUE(run_until([&] { return ends.theirs.ended || ends.theirs.error != 0; }));
}

TEST_P(Reader, RefusesAnEndInTheMiddleButNotASilentOne) {
  Ends cut(*loop);
  send(cut.theirs.stream, kPlainBlock.substr(0, 20));
  loop->close_after_flush(cut.theirs.stream, kLong);
  ASSERT_TRUE(run_until([&] { return cut.ours.error != 0; }));
  EXPECT_EQ(cut.ours.error, EBADMSG);

  Ends silent(*loop);
  loop->close_after_flush(silent.theirs.stream, kLong);
  ASSERT_TRUE(run_until([&] { return silent.ours.ended; }));
  EXPECT_EQ(silent.ours.error, 0);
}

TEST_P(Reader, RefusesAHeaderThatDoesNotCome) {
  Ends ends(*loop, 1);
  ASSERT_TRUE(run_until([&] { return ends.ours.error != 0; }));
  EXPECT_EQ(ends.ours.error, EBADMSG);
  EXPECT_TRUE(ends.reader.problem().ends_with("in time"));
}

}  // namespace
}  // namespace overlord::net
