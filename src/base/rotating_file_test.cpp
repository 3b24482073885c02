#include "base/rotating_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace overlord {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class RotatingFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("overlord-rotating-" + std::to_string(getpid()) + "-" +
                                           testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    path_ = folder_ / "f";
  }
  void TearDown() override { fs::remove_all(folder_); }

  RotatingFile open(uint64_t max_bytes, uint32_t count, bool daily = false) {
    auto file = RotatingFile::open({path_.string(), max_bytes, count, daily});
    EXPECT_TRUE(file.has_value()) << file.error().message;
    return std::move(*file);
  }
  std::string at(uint32_t number) const {
    return read_file(number == 0 ? path_ : fs::path(path_.string() + "." + std::to_string(number)));
  }
  bool exists(uint32_t number) const { return fs::exists(path_.string() + "." + std::to_string(number)); }

  fs::path folder_;
  fs::path path_;
};

TEST_F(RotatingFileTest, AppendsToWhatIsThere) {
  std::ofstream(path_) << "before\n";
  RotatingFile file = open(0, 3);
  EXPECT_EQ(file.write("one\ntwo\n"), 0U);
  EXPECT_EQ(at(0), "before\none\ntwo\n");
  EXPECT_FALSE(exists(1));
}

TEST_F(RotatingFileTest, KeepsTheNewestFilesWithinTheSize) {
  RotatingFile file = open(10, 2);
  for (const char* line : {"1111\n", "2222\n", "3333\n", "4444\n", "5555\n", "6666\n", "7777\n"})
    EXPECT_EQ(file.write(line), 0U);
  EXPECT_EQ(at(0), "7777\n");
  EXPECT_EQ(at(1), "5555\n6666\n");
  EXPECT_EQ(at(2), "3333\n4444\n");
  EXPECT_FALSE(exists(3));
}

TEST_F(RotatingFileTest, ManyLinesAtOnceAreSplitBetweenLines) {
  RotatingFile file = open(10, 4);
  EXPECT_EQ(file.write("1111\n2222\n3333\nlonger than a whole file\n4444\n"), 0U);
  EXPECT_EQ(at(0), "4444\n");
  EXPECT_EQ(at(1), "longer than a whole file\n");
  EXPECT_EQ(at(2), "3333\n");
  EXPECT_EQ(at(3), "1111\n2222\n");
}

TEST_F(RotatingFileTest, WithoutBackupsThereIsNoRotation) {
  RotatingFile file = open(10, 0, true);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(file.write("1111\n", i * 1'000'000), 0U);
  EXPECT_EQ(at(0).size(), 25U);
  EXPECT_FALSE(exists(1));
}

TEST_F(RotatingFileTest, ANewDayBeginsANewFile) {
  constexpr time_t kNoon = 1'800'000'000;
  constexpr time_t kDay = 24 * 60 * 60;
  RotatingFile file = open(0, 5, true);
  file.write("day 1\n", kNoon);
  file.write("day 1\n", kNoon);
  EXPECT_FALSE(exists(1));
  file.write("day 3\n", kNoon + 2 * kDay);
  file.write("day 4\n", kNoon + 3 * kDay);
  EXPECT_EQ(at(0), "day 4\n");
  EXPECT_EQ(at(1), "day 3\n");
  EXPECT_EQ(at(2), "day 1\nday 1\n");
}

TEST_F(RotatingFileTest, AFileOfYesterdayIsMovedAsideByTheFirstLineOfToday) {
  std::ofstream(path_) << "yesterday\n";
  fs::last_write_time(path_, fs::file_time_type::clock::now() - std::chrono::hours(48));
  RotatingFile file = open(0, 1, true);
  EXPECT_EQ(file.write("today\n"), 0U);
  EXPECT_EQ(at(0), "today\n");
  EXPECT_EQ(at(1), "yesterday\n");
}

TEST_F(RotatingFileTest, WhatCannotBeOpenedSaysWhy) {
  const auto file = RotatingFile::open({.path = folder_.string()});
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error().message, testing::HasSubstr("Is a directory"));
}

TEST_F(RotatingFileTest, AFailedRotationLosesNothing) {
  RotatingFile file = open(10, 1);
  fs::create_directory(path_.string() + ".1");  // a file cannot be renamed to a directory
  std::ofstream(path_.string() + ".1/keep") << "x";
  std::string all;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(file.write("line\n"), 0U);
    all += "line\n";
  }
  EXPECT_EQ(at(0), all);
}

// The limit on the size of files cuts a write short as a full disk does.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(RotatingFileTest, AFullDiskTearsNoLineAndTheLostOnesAreCounted) {
  RotatingFile file = open(0, 0);
  EXPECT_EQ(file.write("whole 1\n"), 0U);
  {
    const FullDisk full(20);
    EXPECT_EQ(file.write("whole 2\nlost 1\nlost 2\n"), 2U);
    EXPECT_EQ(file.last_error(), ENOSPC);
    EXPECT_EQ(at(0), "whole 1\nwhole 2\n");
    EXPECT_EQ(file.write("lost 3\n"), 1U);
    EXPECT_EQ(file.write("ok\n"), 0U);  // a short one still fits
  }
  EXPECT_EQ(file.write("whole 3\n"), 0U);
  EXPECT_EQ(at(0), "whole 1\nwhole 2\nok\nwhole 3\n");
}

TEST_F(RotatingFileTest, ADeviceThatIsFullIsNoEnd) {
  auto file = RotatingFile::open({.path = "/dev/full", .max_bytes = 10});
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->write("a\nb\n"), 2U);
  EXPECT_EQ(file->last_error(), ENOSPC);
}

}  // namespace
}  // namespace overlord
