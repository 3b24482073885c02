// A platform that changes its mind, is not there, sends nonsense or does not let the proxy in.

#include "feed/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "http/server.h"

namespace overlord::feed {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class FeedTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "overlord-feed-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    options.copy = (folder / "copy.toml").string();
    options.first_retry = 10ms;
    options.last_retry = 50ms;
    options.wait = 20ms;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void begin_platform() {
    platform.route("GET", "/api/v1/proxies/config", "", [this](const http::Request& request) -> http::Response {
      const std::lock_guard lock(mutex);
      asked = request;
      ++requests;
      changed.notify_all();
      if (status != 200) return http::Response::error(status, "not now");
      const std::string etag = "\"" + std::to_string(std::hash<std::string>()(text)) + "\"";
      http::Response response{.type = "application/toml", .body = text, .headers = {{"ETag", etag}}};
      if (request.header("if-none-match") == etag) return {.status = 304, .body = {}};
      return response;
    });
    ASSERT_TRUE(platform.start(*net::numeric_address("127.0.0.1", 0)));
    options.servers = "http://127.0.0.1:1,http://" + net::to_string(platform.address());
  }

  std::string copy() const {
    std::ifstream in(options.copy);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void say(int now, const std::string& what) {
    const std::lock_guard lock(mutex);
    status = now;
    text = what;
  }
  // A condition that the test makes true by itself sooner or later.
  template <typename Condition>
  void until(Condition condition) {
    std::unique_lock lock(mutex);
    while (!condition()) changed.wait_for(lock, 5ms);
  }
  Feed::Check usable = [](const std::string& path) -> Result<void> {
    std::ifstream in(path);
    std::string word;
    in >> word;
    if (word == "bad") return fail("line 1: bad");
    return {};
  };

  std::filesystem::path folder;
  FeedOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  http::Request asked;
  int requests = 0;
  int status = 200;
  std::string text = "one";
  http::Server platform;
};

TEST_F(FeedTest, TakesTheFirstFileAndFollows) {
  begin_platform();
  std::ofstream(folder / "token") << "s3cret \n";
  options.token_file = folder / "token";
  options.clusters = "a,b";
  options.proxy = "host:1";
  Feed feed(options, usable);
  ASSERT_TRUE(feed.first(10s));
  EXPECT_EQ(copy(), "one");
  std::unique_lock lock(mutex);
  EXPECT_EQ(asked.header("authorization"), "Bearer s3cret");
  EXPECT_EQ(asked.parameter("cluster"), "a,b");
  EXPECT_EQ(asked.parameter("proxy"), "host:1");
  lock.unlock();
  struct stat file{};
  ASSERT_EQ(::stat(options.copy.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600U);
  std::atomic<int> times{0};
  feed.start([&] { return ++times > 0; });
  say(200, "two");
  until([&] { return times == 1; });
  EXPECT_EQ(copy(), "two");
  const FeedStatus now = feed.status();
  EXPECT_TRUE(now.connected);
  EXPECT_EQ(now.taken, 2U);
}

TEST_F(FeedTest, KeepsTheGoodCopyWhenTheNextIsBad) {
  begin_platform();
  Feed feed(options, usable);
  ASSERT_TRUE(feed.first(10s));
  std::atomic<int> times{0};
  feed.start([&] { return ++times > 0; });
  say(200, "bad");
  until([&] { return feed.status().refused == 1; });
  EXPECT_EQ(copy(), "one");
  EXPECT_THAT(feed.status().trouble, HasSubstr("line 1: bad"));
  say(200, "three");
  until([&] { return times == 1; });
  EXPECT_EQ(copy(), "three");
  EXPECT_EQ(feed.status().refused, 1U);  // and was not asked for over and over
  EXPECT_EQ(feed.status().trouble, "");
  feed.stop();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(FeedTest, StartsFromTheCopyWithoutAPlatform) {
  options.servers = "http://127.0.0.1:1";
  Feed none(options, usable);
  const auto refused = none.first(50ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("there is no copy at " + options.copy));
  std::ofstream(options.copy) << "old";
  Feed feed(options, usable);
  EXPECT_TRUE(feed.first(50ms));
  EXPECT_EQ(copy(), "old");
  EXPECT_FALSE(feed.status().connected);
}

TEST_F(FeedTest, GoesOnWhenThePlatformComesBack) {
  begin_platform();
  std::ofstream(options.copy) << "old";
  say(401, "");
  Feed feed(options, usable);
  ASSERT_TRUE(feed.first(0ms));
  std::atomic<int> times{0};
  feed.start([&] { return ++times > 0; });
  until([&] { return feed.status().trouble.contains("answered 401"); });
  EXPECT_EQ(copy(), "old");
  say(200, "new");
  until([&] { return times == 1; });
  EXPECT_EQ(copy(), "new");
}

TEST_F(FeedTest, TriesAgainWhatCouldNotBePutInForce) {
  begin_platform();
  Feed feed(options, usable);
  ASSERT_TRUE(feed.first(10s));
  std::atomic<int> times{0};
  feed.start([&] { return ++times > 2; });
  say(200, "two");
  until([&] { return times == 3; });
  int before = -1;
  until([&] { return std::exchange(before, before < 0 ? requests : before) >= 0 && requests > before; });
  EXPECT_EQ(times, 3);
}

TEST_F(FeedTest, ReportsAChangeThatAnotherProcessWroteFirst) {
  begin_platform();
  Feed feed(options, usable);
  ASSERT_TRUE(feed.first(10s));
  std::atomic<int> times{0};
  std::ofstream(options.copy) << "two";
  feed.start([&] { return ++times > 0; });
  say(200, "two");
  until([&] { return times == 1; });
}

TEST_F(FeedTest, EndsWhileItWaits) {
  options.wait = 60'000ms;
  options.last_retry = options.first_retry = 60'000ms;
  options.servers = "http://127.0.0.1:1";
  std::ofstream(options.copy) << "old";
  Feed feed(options, usable);
  feed.start([] { return true; });
  until([&] { return !feed.status().trouble.empty(); });
  feed.stop();
}

TEST(SplitList, LeavesOutWhatIsEmpty) {
  EXPECT_THAT(split_list("a,,b,"), testing::ElementsAre("a", "b"));
  EXPECT_TRUE(split_list("").empty());
}

}  // namespace
}  // namespace overlord::feed
