#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace overlord {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

size_t count_lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("overlord-log-" + std::to_string(getpid()) + "-" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "proxy.log";
  }
  void TearDown() override {
    ASSERT_TRUE(log_init({}).has_value());
    std::filesystem::remove_all(folder_);
  }
  void init(LogLevel level, uint32_t verbosity) {
    ASSERT_TRUE(log_init({.level = level, .verbosity = verbosity, .file = file_.string()}).has_value());
  }
  std::string text() {
    log_flush();
    return read_file(file_);
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(LogTest, JoinsPartsOfEveryKind) {
  init(LogLevel::info, 0);
  const std::string name = "mc1";
  log_info("node ", name, ' ', uint16_t{11211}, " up ", true, " after ", -5, " ms, ", 1.5, " of ", ~uint64_t{0});
  EXPECT_THAT(text(), HasSubstr("info  node mc1 11211 up true after -5 ms, 1.5 of 18446744073709551615\n"));
}

TEST_F(LogTest, LevelDecidesWhatIsWritten) {
  init(LogLevel::warn, 0);
  log_debug(1, "one");
  log_info("two");
  log_warn("three");
  log_error("four");
  const std::string written = text();
  EXPECT_THAT(written, Not(HasSubstr("one")));
  EXPECT_THAT(written, Not(HasSubstr("two")));
  EXPECT_THAT(written, HasSubstr("three"));
  EXPECT_THAT(written, HasSubstr("four"));
}

TEST_F(LogTest, VerbosityDecidesAboutDebugLines) {
  init(LogLevel::info, 2);
  log_debug(1, "coarse");
  log_debug(2, "fine");
  log_debug(3, "finest");
  const std::string written = text();
  EXPECT_THAT(written, HasSubstr("coarse"));
  EXPECT_THAT(written, HasSubstr("fine\n"));
  EXPECT_THAT(written, Not(HasSubstr("finest")));
}

TEST_F(LogTest, ClientBytesCannotForgeALine) {
  init(LogLevel::info, 0);
  log_info("key ", std::string_view("a\r\n2026 error {} %v\0b", 21));
  const std::string written = text();
  EXPECT_EQ(count_lines(written), 1U);
  EXPECT_THAT(written, HasSubstr("key a\\x0d\\x0a2026 error {} %v\\x00b"));
}

TEST_F(LogTest, FileThatCannotBeOpenedKeepsTheOldLog) {
  init(LogLevel::info, 0);
  const auto bad = log_init({.file = folder_.string()});
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("log file"));
  log_info("still here");
  EXPECT_THAT(text(), HasSubstr("still here"));
}

TEST_F(LogTest, ReopenFollowsAMovedFile) {
  init(LogLevel::info, 0);
  log_info("before");
  std::filesystem::rename(file_, folder_ / "old.log");
  ASSERT_TRUE(log_reopen().has_value());
  log_info("after");
  EXPECT_THAT(text(), HasSubstr("after"));
  EXPECT_THAT(text(), Not(HasSubstr("before")));
  EXPECT_THAT(read_file(folder_ / "old.log"), HasSubstr("before"));
}

TEST_F(LogTest, LinesOfManyThreadsStayWholeWhileTheLogIsReplaced) {
  init(LogLevel::info, 0);
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < kLines; ++i) log_info("thread ", t, " line ", i, " end");
    });
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(log_reopen().has_value());
  for (auto& thread : threads) thread.join();
  std::istringstream lines(text());
  int seen = 0;
  for (std::string line; std::getline(lines, line); ++seen) EXPECT_TRUE(line.ends_with(" end")) << line;
  EXPECT_EQ(seen, kThreads * kLines);
}

TEST_F(LogTest, JsonIsOneObjectALineWithEverythingInIt) {
  ASSERT_TRUE(log_init({.file = file_.string(), .format = LogFormat::json}).has_value());
  log_warn("key \"a\"\n", std::string_view("\xff", 1));
  const std::string line = text();
  EXPECT_EQ(count_lines(line), 1U);
  EXPECT_THAT(line,
              testing::MatchesRegex(R"(\{"time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}",)"
                                    R"("level":"warn","pid":[0-9]+,"thread":"[^"]+","msg":"key .*"\})"
                                    "\n"));
  EXPECT_THAT(line, HasSubstr("\"pid\":" + std::to_string(getpid()) + ","));
  EXPECT_THAT(line, HasSubstr(R"("msg":"key \"a\"\u000a\\xff"})"));
}

TEST_F(LogTest, LevelAndVerbosityChangeWhileItRuns) {
  init(LogLevel::warn, 2);
  log_info("one");
  log_debug(1, "two");
  log_set_level(LogLevel::info);
  EXPECT_EQ(log_level(), LogLevel::info);
  EXPECT_EQ(log_verbosity(), 2U);
  log_info("three");
  log_debug(2, "four");
  log_set_verbosity(0);
  log_debug(1, "five");
  log_set_level(LogLevel::off);
  log_error("six");
  const std::string written = text();
  for (const char* word : {"one", "two", "five", "six"}) EXPECT_THAT(written, Not(HasSubstr(word)));
  for (const char* word : {"three", "four"}) EXPECT_THAT(written, HasSubstr(word));
}

TEST_F(LogTest, StepsOfDetailComeBackToWhatWasConfigured) {
  init(LogLevel::warn, 0);
  for (const uint32_t detail : {1U, 2U, 3U}) {
    log_step_detail();
    EXPECT_EQ(log_verbosity(), detail);
    EXPECT_EQ(log_level(), LogLevel::info);
  }
  log_step_detail();
  EXPECT_EQ(log_level(), LogLevel::warn);
  EXPECT_EQ(log_verbosity(), 0U);
}

TEST(LogLevels, HaveNames) {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error, LogLevel::off})
    EXPECT_EQ(parse_log_level(to_string(level)), level);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

TEST_F(LogTest, TheFileRotatesWithoutLosingALine) {
  ASSERT_TRUE(log_init({.file = file_.string(), .max_bytes = 1000, .backup_count = 100}).has_value());
  for (int i = 0; i < 200; ++i) log_info("line ", i, " end");
  std::string all = text();
  EXPECT_LE(all.size(), 1000U);
  for (int i = 1; i <= 100 && std::filesystem::exists(file_.string() + "." + std::to_string(i)); ++i)
    all = read_file(file_.string() + "." + std::to_string(i)) + all;
  std::istringstream lines(all);
  int seen = 0;
  for (std::string line; std::getline(lines, line); ++seen)
    EXPECT_TRUE(line.ends_with("line " + std::to_string(seen) + " end")) << line;
  EXPECT_EQ(seen, 200);
  EXPECT_EQ(log_lost(), 0U);
}

TEST(LogEvery, LetsOneLinePerIntervalThroughAndCountsTheRest) {
  using std::chrono::seconds;
  LogEvery every(seconds(1));
  const std::chrono::steady_clock::time_point start{seconds(100)};
  auto first = every.next(start);
  EXPECT_TRUE(first);
  EXPECT_EQ(first.suffix(), "");
  EXPECT_FALSE(every.next(start));
  EXPECT_FALSE(every.next(start + std::chrono::milliseconds(999)));
  auto later = every.next(start + seconds(1));
  EXPECT_TRUE(later);
  EXPECT_EQ(later.skipped(), 2U);
  EXPECT_EQ(later.suffix(), " (and 2 more like this)");
  EXPECT_EQ(every.next(start + seconds(5)).skipped(), 0U);
}

// A million repeats in a second and a half, from four threads: two lines, and every one that is missing is told of.
TEST(LogEvery, AStormIsAFewLinesThatCountTheRest) {
  using std::chrono::microseconds;
  constexpr uint64_t kEach = 250'000;
  LogEvery every(std::chrono::seconds(1));
  const std::chrono::steady_clock::time_point start{std::chrono::seconds(100)};
  std::atomic<uint64_t> lines{0};
  std::atomic<uint64_t> told{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint64_t n = 0; n < kEach; ++n) {
        const auto turn = every.next(start + microseconds(n * 6));
        if (!turn) continue;
        lines.fetch_add(1);
        told.fetch_add(turn.skipped());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines.load(), 2U);
  const auto last = every.next(start + std::chrono::seconds(10));
  EXPECT_TRUE(last);
  EXPECT_EQ(lines.load() + told.load() + last.skipped(), 4 * kEach);
}

TEST(LogEvery, MayLetSeveralLinesPerIntervalThrough) {
  using std::chrono::seconds;
  LogEvery every(seconds(1), 3);
  const std::chrono::steady_clock::time_point start{seconds(100)};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(every.next(start)) << i;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(every.next(start)) << i;
  EXPECT_EQ(every.next(start + seconds(1)).skipped(), 5U);
  EXPECT_TRUE(every.next(start + seconds(1)));
}

}  // namespace
}  // namespace overlord
