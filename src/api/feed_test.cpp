#include "api/feed.h"

#include <nlohmann/json.hpp>

#include "api/api_fixture.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using testing::HasSubstr;

class FeedTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "overlord-feed-" + std::to_string(::getpid()) + "-" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(path_);
    auto opened = store::open_sqlite(path_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    feed = std::make_unique<Feed>(*store);
    feed->start();
    ASSERT_TRUE(eventually([this] { return feed->next() != 0; }));
  }
  void TearDown() override {
    feed.reset();
    store.reset();
    std::filesystem::remove_all(path_);
  }

  static bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      ::usleep(2000);
    }
    return true;
  }

  store::Revision put(const std::string& key, const std::string& value) {
    const auto done = store->commit({.changes = {store::put(key, value)}});
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_TRUE(eventually([&] { return feed->next() > *done; }));
    return *done;
  }
  std::shared_ptr<http::Stream> stream(store::Revision from, FeedFilter filter = {}, std::string token_key = "none",
                                       std::string user_key = "none") {
    return event_stream(*feed, from, {}, std::move(filter), std::move(token_key), std::move(user_key), count);
  }
  static std::string read(http::Stream& from) {
    std::string out;
    EXPECT_TRUE(from.read(out));
    return out;
  }

  std::string path_;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Feed> feed;
  std::atomic<int64_t> count{0};
};

std::string cluster_text(const std::string& name) {
  return to_json(model::Cluster{.name = name, .group = "g", .password = "hidden"});
}

TEST_F(FeedTest, StreamsShowWhatChangesWithoutSecrets) {
  const auto all = stream(feed->next());
  EXPECT_EQ(count.load(), 1);
  EXPECT_THAT(read(*all), HasSubstr("retry:"));
  const auto revision = put(keys::cluster_info("a"), cluster_text("a"));
  put(keys::of(keys::kAudit, keys::ordered(1)), "{}");
  put(keys::of(keys::kUsers, "eva"), to_json(model::User{.name = "eva", .password_hash = "hidden"}));
  const std::string text = read(*all);
  EXPECT_THAT(text, HasSubstr("event: cluster\nid: " + std::to_string(revision) + "\ndata: {\"type\":\"cluster\""));
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_EQ(text.find("audit"), std::string::npos);
  EXPECT_EQ(text.find("eva"), std::string::npos);
  EXPECT_EQ(read(*all), "");
}

TEST_F(FeedTest, AnIdStandsAtTheEndOfATransaction) {
  const auto all = stream(feed->next());
  (void)read(*all);
  const auto done = store->commit({.changes = {store::put(keys::cluster_info("a"), cluster_text("a")),
                                               store::put(keys::cluster_info("b"), cluster_text("b"))}});
  ASSERT_TRUE(done);
  ASSERT_TRUE(eventually([&] { return feed->next() > *done; }));
  const std::string text = read(*all);
  const size_t first = text.find("id: ");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("id: ", first + 1), std::string::npos);
  EXPECT_GT(first, text.find("\"name\":\"a\"")) << "who comes back between the two gets both again";
}

TEST_F(FeedTest, FiltersByTypeAndCluster) {
  const auto specs = stream(feed->next(), {.types = {"spec"}});
  const auto of_b = stream(feed->next(), {.cluster = "b"});
  (void)read(*specs);
  (void)read(*of_b);
  put(keys::cluster_info("a"), cluster_text("a"));
  put(keys::of(keys::kSpecs, "1c1g"), "{}");
  put(keys::cluster_appid("b", "x.y"), "");
  EXPECT_THAT(read(*specs), testing::AllOf(HasSubstr("1c1g"), testing::Not(HasSubstr("cluster"))));
  const std::string text = read(*of_b);
  EXPECT_THAT(text, HasSubstr("event: binding"));
  EXPECT_THAT(text, testing::Not(HasSubstr("1c1g")));
}

TEST_F(FeedTest, ResumesAndSaysWhenItCannot) {
  const auto first = put(keys::cluster_info("a"), cluster_text("a"));
  put(keys::cluster_info("b"), cluster_text("b"));
  const auto resumed = stream(first + 1);
  const std::string text = read(*resumed);
  EXPECT_THAT(text, HasSubstr("\"name\":\"b\""));
  EXPECT_THAT(text, testing::Not(HasSubstr("\"name\":\"a\"")));
  // A feed that has begun later finds the rest in the store.
  feed = std::make_unique<Feed>(*store);
  feed->start();
  ASSERT_TRUE(eventually([this] { return feed->next() != 0; }));
  EXPECT_FALSE(feed->since(first, 1));
  const auto earlier = feed->earlier(first);
  ASSERT_TRUE(earlier);
  ASSERT_EQ(earlier->size(), 2U);
  EXPECT_EQ(earlier->front().name, "a");
  // Until that has forgotten it.
  const auto last = put(keys::cluster_info("c"), cluster_text("c"));
  ASSERT_TRUE(store->compact(last));
  EXPECT_FALSE(feed->earlier(first));
  EXPECT_THAT(read(*stream(first)), HasSubstr("event: reset"));
}

TEST_F(FeedTest, StreamsEndWithTheirToken) {
  const std::string token = keys::of(keys::kTokens, "t");
  const auto mine = stream(feed->next(), {}, token, keys::of(keys::kUsers, "eva"));
  (void)read(*mine);
  put(token, "{}");
  std::string out;
  EXPECT_TRUE(mine->read(out));
  const auto removed = store->commit({.changes = {store::remove(token)}});
  ASSERT_TRUE(removed);
  ASSERT_TRUE(eventually([&] { return feed->next() > *removed; }));
  EXPECT_FALSE(mine->read(out));
  const auto by_user = stream(feed->next(), {}, token, keys::of(keys::kUsers, "eva"));
  put(keys::of(keys::kUsers, "eva"), "{}");
  EXPECT_FALSE(by_user->read(out));
}

TEST_F(FeedTest, ProxiesAreToldOnlyOfWhatMatters) {
  const uint64_t before = feed->proxy_version();
  put(keys::of(keys::kSpecs, "1c1g"), "{}");
  put(keys::instance_state("10.0.0.1:1"), "{}");
  put(keys::job("g", 1), "{}");
  EXPECT_EQ(feed->proxy_version(), before);
  put(keys::instance("10.0.0.1:1"), "{}");
  EXPECT_GT(feed->proxy_version(), before);
}

}  // namespace
}  // namespace overlord::api
