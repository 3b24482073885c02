// Messages and states that are not whole, too long, or say what there is not must be refused as such.

#include "handover/messages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "handover/channel.h"
#include "handover/client_state.h"

namespace overlord::handover {
namespace {

constexpr std::chrono::milliseconds kSoon{5000};

ClientState a_client() {
  ClientState state;
  state.cluster = "rd";
  state.cache_type = 2;
  state.id = uint64_t{1} << 40;
  state.user = static_cast<uint8_t>(ClientState::User::named);
  state.user_name = "joe";
  state.protocol = 3;
  state.reply_mode = 1;
  state.name = std::string("a\0b", 3);
  state.dialect = 2;
  state.body_left = 77;
  state.sasl_begun = true;
  return state;
}

TEST(ClientState, ComesOutAsItWentIn) {
  ClientState state = a_client();
  const std::string bytes = encode(state);
  auto back = decode_client(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->cluster, "rd");
  EXPECT_EQ(back->id, uint64_t{1} << 40);
  EXPECT_EQ(back->name, state.name);
  EXPECT_TRUE(back->sasl_begun);
  EXPECT_EQ(encode(*back), bytes);
}

TEST(ClientState, IsRefusedWhenItIsNotWhole) {
  ClientState state = a_client();
  const std::string bytes = encode(state);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_client(bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_client(bytes + "x"));
}

TEST(ClientState, IsRefusedWithAnotherVersionOrWrongValues) {
  ClientState state = a_client();
  std::string bytes = encode(state);
  ++bytes[0];
  EXPECT_FALSE(decode_client(bytes));
  for (const auto& spoil : std::initializer_list<void (*)(ClientState&)>{
           [](ClientState& s) { s.protocol = 4; }, [](ClientState& s) { s.user = 3; },
           [](ClientState& s) { s.reply_mode = 4; }, [](ClientState& s) { s.dialect = 4; },
           [](ClientState& s) { s.source.assign(129, 'x'); }}) {
    ClientState wrong = a_client();
    spoil(wrong);
    EXPECT_FALSE(decode_client(encode(wrong)));
  }
}

TEST(Messages, AreOfTheirKindOnly) {
  const std::string bytes = encode(Remaining{.cluster = "mc", .clients = 7});
  EXPECT_EQ(kind_of(bytes), Kind::remaining);
  Remaining remaining;
  Done done;
  EXPECT_FALSE(decode(bytes, done));
  ASSERT_TRUE(decode(bytes, remaining));
  EXPECT_EQ(remaining.cluster, "mc");
  EXPECT_EQ(remaining.clients, 7U);
  EXPECT_FALSE(decode(bytes.substr(0, bytes.size() - 1), remaining));
  EXPECT_FALSE(decode({}, remaining));
}

TEST(Channel, PassesDescriptorsAndKeepsBounds) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const std::string large(Channel::kMost, 'x');
  ASSERT_TRUE(ends->first.send("one", pipe[1]));
  ASSERT_TRUE(ends->first.send(large));
  ::close(pipe[1]);
  auto one = ends->second.receive(kSoon);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->bytes, "one");
  ASSERT_TRUE(one->fd.valid());
  EXPECT_NE(::fcntl(one->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(::write(one->fd.get(), "y", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  ::close(pipe[0]);
  auto two = ends->second.receive(kSoon);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->bytes, large);
  EXPECT_FALSE(two->fd.valid());
}

TEST(Channel, TellsWhatCameBeforeTheEnd) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  ASSERT_TRUE(ends->second.send("never read"));
  ASSERT_TRUE(ends->first.send("last"));
  ends->first.close();  // with something unread: the other end hears of a reset, too
  auto last = ends->second.receive(kSoon);
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(last->bytes, "last");
  auto end = ends->second.receive(kSoon);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_TRUE(end->bytes.empty());
  EXPECT_FALSE(ends->second.send("x"));
}

TEST(Channel, SaysWhenItIsFullAndWhenNothingComes) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  EXPECT_FALSE(ends->second.receive(std::chrono::milliseconds(0)));
  int sent = 0;
  while (ends->first.try_send("x") == Channel::Sent::all) ASSERT_LT(++sent, 1'000'000);
  EXPECT_EQ(ends->first.try_send("x"), Channel::Sent::later);
  while (sent-- > 0) ASSERT_TRUE(ends->second.receive(kSoon));
  EXPECT_EQ(ends->first.try_send("x"), Channel::Sent::all);
}

TEST(Channel, OpensOnlyWhatThereIs) {
  EXPECT_FALSE(Channel::open("/none/at/all"));
  EXPECT_FALSE(Channel::open("fd:"));
  EXPECT_FALSE(Channel::open("fd:1000000"));
  EXPECT_FALSE(Channel::open("fd:3x"));
}

class ListenForTakers : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "overlord-takers-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = (folder / "upgrade.sock").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
  std::string path;
};

TEST_F(ListenForTakers, LeavesWhatIsNoSocketAlone) {
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listen_for_takers(path));
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(ListenForTakers, IsOneAtATime) {
  {
    const auto first = listen_for_takers(path);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_FALSE(listen_for_takers(path));
    EXPECT_TRUE(Channel::connect(path));
  }
  const auto next = listen_for_takers(path);  // the socket is still there, without an owner
  EXPECT_TRUE(next) << next.error().message;
}

}  // namespace
}  // namespace overlord::handover
