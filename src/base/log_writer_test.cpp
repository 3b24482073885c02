#include "base/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace overlord {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string notice(std::string_view text) { return "notice: " + std::string(text) + "\n"; }

// A pipe that holds one page: whoever writes more waits for the reader.
class SmallPipe {
 public:
  SmallPipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    EXPECT_GE(::fcntl(ends_[1], F_SETPIPE_SZ, 4096), 4096);
  }
  ~SmallPipe() {
    close_writer();
    ::close(ends_[0]);
  }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  // What comes until the text has an end like this.
  std::string read_until(std::string_view end) {
    std::string text;
    std::array<char, 4096> block;
    while (!text.ends_with(end)) {
      pollfd ready{ends_[0], POLLIN, 0};
      if (::poll(&ready, 1, 20'000) != 1) return text + "(nothing more came)";
      const ssize_t got = ::read(ends_[0], block.data(), block.size());
      if (got <= 0) return text;
      text.append(block.data(), static_cast<size_t>(got));
    }
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(LogWriter, WritesInOrderAndFlushWaitsForIt) {
  SmallPipe pipe;
  LogWriter writer(RotatingFile(), pipe.writer(), notice);
  for (int i = 0; i < 100; ++i) writer.push("line " + std::to_string(i) + "\n");
  EXPECT_TRUE(writer.flush(milliseconds(20'000)));
  const std::string text = pipe.read_until("line 99\n");
  EXPECT_THAT(text, testing::StartsWith("line 0\nline 1\n"));
  EXPECT_EQ(writer.lost(), 0U);
}

TEST(LogWriter, AReaderThatStandsStillCostsLinesAndHoldsNobodyUp) {
  SmallPipe pipe;
  LogWriter writer(RotatingFile(), pipe.writer(), notice, 10'000);
  const std::string line = std::string(99, 'x') + "\n";
  for (int i = 0; i < 1000; ++i) writer.push(line);  // would wait for ever if it waited
  EXPECT_FALSE(writer.flush(milliseconds(10)));
  const uint64_t lost = writer.lost();
  EXPECT_GT(lost, 0U);
  EXPECT_LT(lost, 1000U);
  // The next line that finds room is preceded by how many are missing.
  std::string text = pipe.read_until("x\n");
  while (!writer.flush(milliseconds(0))) text += pipe.read_until("x\n");
  writer.push("end\n");
  text += pipe.read_until("end\n");
  // Usually one notice; more when the writer got on in between.
  long notices = 0;
  uint64_t told = 0;
  constexpr std::string_view kNotice = "notice: ";
  for (size_t at = text.find(kNotice); at != std::string::npos; at = text.find(kNotice, at + 1)) {
    ++notices;
    told += std::stoull(text.substr(at + kNotice.size()));
  }
  EXPECT_TRUE(text.contains(" log lines were dropped here"));
  EXPECT_EQ(told, lost);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1000 - static_cast<long>(lost) + notices + 1);
}

TEST(LogWriter, LinesThatAFullDiskTookAreToldOfWhenThereIsRoom) {
  const std::string path = testing::TempDir() + "overlord-log-writer-" + std::to_string(getpid());
  auto full = RotatingFile::open({.path = "/dev/full"});
  auto good = RotatingFile::open({.path = path});
  ASSERT_TRUE(full.has_value() && good.has_value());
  std::string text;
  {
    LogWriter writer(std::move(*full), -1, notice);
    writer.push("one\n");
    writer.push("two\n");
    EXPECT_TRUE(writer.flush(milliseconds(20'000)));
    EXPECT_EQ(writer.lost(), 2U);
    writer.replace(std::move(*good));
    writer.push("three\n");
    EXPECT_TRUE(writer.flush(milliseconds(20'000)));
  }
  FILE* file = std::fopen(path.c_str(), "r");
  ASSERT_NE(file, nullptr);
  std::array<char, 1000> block{};
  text.assign(block.data(), std::fread(block.data(), 1, block.size(), file));
  std::fclose(file);
  ::unlink(path.c_str());
  EXPECT_THAT(text, HasSubstr("notice: 2 log lines were lost here: No space left"));
  EXPECT_THAT(text, testing::EndsWith("three\n"));
}

}  // namespace
}  // namespace overlord
