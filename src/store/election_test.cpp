#include "store/election.h"

#include <thread>

#include "store/conformance_fixture.h"

namespace overlord::store {
namespace {

using namespace std::chrono_literals;

class Election : public Conformance {
 protected:
  // Until it leads.
  static Revision must_win(Candidate& candidate) {
    Revision token = 0;
    EXPECT_TRUE(eventually([&] {
      const auto won = candidate.campaign(1000ms);
      EXPECT_TRUE(won || won.error().trouble == Trouble::unavailable) << won.error().message;
      if (won && *won) token = **won;
      return token != 0;
    }));
    return token;
  }
};

TEST_P(Election, OneLeadsAndTheNextComesWhenItResigns) {
  const auto other_store = another();
  Candidate first(store(), key("leader"), "first", 5s);
  Candidate second(*other_store, key("leader"), "second", 5s);
  LeaderWatch watch(store(), key("leader"));
  EXPECT_EQ(*watch.next(0ms), std::nullopt);
  const Revision token = must_win(first);
  EXPECT_TRUE(first.leads());
  EXPECT_EQ(must_win(first), token);
  const auto not_yet = second.campaign(0ms);
  ASSERT_TRUE(not_yet) << not_yet.error().message;
  EXPECT_EQ(*not_yet, std::nullopt);
  EXPECT_FALSE(second.leads());
  auto seen = leader_of(*other_store, key("leader"));
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->name, "first");
  EXPECT_EQ((*seen)->token, token);
  ASSERT_TRUE(store().commit({{first.fence()}, {put(key("state"), "by first")}}));
  EXPECT_EQ(trouble(store().commit({{second.fence()}, {put(key("state"), "by second")}})), Trouble::conflict);

  const Condition old_fence = first.fence();
  Revision later = 0;
  std::thread campaign([&] { later = must_win(second); });
  ASSERT_TRUE(first.resign());
  campaign.join();
  EXPECT_FALSE(first.leads());
  EXPECT_GT(later, token);
  // What the old leader began and sends now is too late.
  EXPECT_EQ(trouble(store().commit({{old_fence}, {put(key("state"), "by first, late")}})), Trouble::conflict);
  ASSERT_TRUE(store().commit({{second.fence()}, {put(key("state"), "by second")}}));
  EXPECT_TRUE(eventually([&] {
    const auto now = watch.next(1000ms);
    return now && *now && (*now)->name == "second" && (*now)->token == later;
  }));
}

TEST_P(Election, ALeaderWhoseLeaseEndsIsReplaced) {
  Candidate first(store(), key("leader"), "first", 1s);
  Candidate second(store(), key("leader"), "second", 5s);
  const Revision token = must_win(first);
  // As if it had been stopped for long.
  ASSERT_TRUE(store().revoke(must_get("leader")->lease));
  const Revision later = must_win(second);
  EXPECT_GT(later, token);
  EXPECT_TRUE(eventually([&] { return !first.leads(); }));
  EXPECT_EQ(trouble(store().commit({{first.fence()}, {put(key("x"), "")}})), Trouble::conflict);
  // It may be a candidate again.
  ASSERT_TRUE(second.resign());
  EXPECT_GT(must_win(first), later);
}

TEST_P(Election, OfManyCandidatesOneLeadsAtATime) {
  std::atomic<int> leading{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, own = another(), i] {
      Candidate candidate(*own, key("leader"), "c" + std::to_string(i), 5s);
      must_win(candidate);
      EXPECT_EQ(++leading, 1);
      EXPECT_TRUE(own->commit({{candidate.fence()}, {put(key("turn"), std::to_string(i))}}));
      --leading;
      EXPECT_TRUE(candidate.resign());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Election, StopsWaiting) {
  Candidate first(store(), key("leader"), "first", 5s);
  Candidate second(store(), key("leader"), "second", 5s);
  must_win(first);
  std::thread stopper([&] { second.stop(); });
  const auto nothing = second.campaign(1h);
  stopper.join();
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_EQ(*nothing, std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(, Election, all_kinds(), kind_name);

}  // namespace
}  // namespace overlord::store
