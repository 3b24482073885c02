// What every store does: watches, compaction, leases.
#include <thread>

#include "store/conformance_fixture.h"

namespace overlord::store {
namespace {

using namespace std::chrono_literals;

class ConformanceWatch : public Conformance {};

TEST_P(ConformanceWatch, TellsEveryChangeOnceAndInOrder) {
  const Revision first = must_put("a", "1");
  auto watch = must_watch(first);
  auto other = must_watch(first);
  const Revision second = must_commit({{}, {put(key("c"), "2"), put(key("a"), "3"), put(key("b"), "4")}});
  ASSERT_TRUE(store().commit({{}, {put("/elsewhere", "x")}}));
  const Revision third = must_commit({{}, {remove(key("a"))}});
  using enum Event::Kind;
  const std::vector<Event> expected = {{put, {"a", "1", first, first}},
                                       {put, {"c", "2", second, second}},
                                       {put, {"a", "3", first, second}},
                                       {put, {"b", "4", second, second}},
                                       {removed, {"a", "", 0, third}}};
  EXPECT_EQ(events_of(*watch, expected.size()), expected);
  // Nothing more, and what comes then comes.
  const auto nothing = watch->next(0ms);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->events.empty());
  const Revision fourth = must_put("d", "5");
  EXPECT_EQ(events_of(*watch, 1), (std::vector<Event>{{put, {"d", "5", fourth, fourth}}}));
  // From the middle, seen by somebody else.
  const auto late = another()->watch(prefix_, third);
  ASSERT_TRUE(late);
  EXPECT_EQ(events_of(**late, 2).front().record.modified, third);
  EXPECT_EQ(events_of(*other, 6).size(), 6U);
}

TEST_P(ConformanceWatch, GoesOnWhereABatchEnded) {
  const Revision start = must_put("0", "");
  std::thread writer([this] {
    for (int i = 1; i <= 60; ++i) must_commit({{}, {put(key(std::to_string(i)), ""), put(key("same"), "")}});
  });
  // A new watch for each batch: no event twice, none missing, none apart from its transaction.
  std::vector<int> numbers;
  Revision next = start + 1;
  EXPECT_TRUE(eventually([&] {
    auto batch = must_watch(next)->next(2000ms);
    if (!batch) return false;
    EXPECT_EQ(batch->events.size() % 2, 0U);
    for (size_t i = 0; i + 1 < batch->events.size(); i += 2) {
      numbers.push_back(std::stoi(batch->events[i].record.key.substr(prefix_.size())));
      EXPECT_EQ(batch->events[i].record.modified, batch->events[i + 1].record.modified);
    }
    EXPECT_GE(batch->next, next);
    next = batch->next;
    return numbers.size() >= 60;
  }));
  writer.join();
  ASSERT_EQ(numbers.size(), 60U);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(numbers[size_t(i)], i + 1);
}

TEST_P(ConformanceWatch, BeginsWithWhatFollowsWhenAskedFor) {
  must_put("before", "");
  auto watch = must_watch(0);
  const Revision made = must_put("after", "");
  EXPECT_EQ(events_of(*watch, 1).front().record.modified, made);
}

TEST_P(ConformanceWatch, WakesWhoWaits) {
  auto watch = must_watch(0);
  std::thread writer([own = another(), key = key("x")] { ASSERT_TRUE(own->commit({{}, {put(key, "")}})); });
  EXPECT_EQ(events_of(*watch, 1).size(), 1U);
  writer.join();
  std::thread stopper([&] { watch->stop(); });
  const auto batch = watch->next(1h);
  stopper.join();
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_TRUE(batch->events.empty());
  EXPECT_TRUE(watch->next(1h).has_value());
}

TEST_P(ConformanceWatch, SaysWhatIsForgotten) {
  const Revision first = must_put("a", "1");
  const Revision second = must_put("a", "2");
  must_commit({{}, {put(key("b"), "x")}});
  const Revision gone = must_commit({{}, {remove(key("b"))}});
  const Revision last = must_put("c", "3");
  EXPECT_EQ(trouble(store().compact(last + 1000)), Trouble::refused);
  ASSERT_TRUE(store().compact(gone)) << gone;
  ASSERT_TRUE(store().compact(gone));  // again
  ASSERT_TRUE(store().compact(first));
  EXPECT_EQ(trouble(store().get(key("a"), second)), Trouble::compacted);
  EXPECT_EQ(trouble(store().list(prefix_, {.at = first})), Trouble::compacted);
  EXPECT_EQ(trouble(must_watch(first)->next(10s)), Trouble::compacted);
  // The removal at that revision is not told any more, so nobody may think that it was.
  EXPECT_EQ(trouble(must_watch(gone)->next(10s)), Trouble::compacted);
  const auto at = store().list(prefix_, {.at = gone});
  ASSERT_TRUE(at) << at.error().message;
  ASSERT_EQ(at->records.size(), 1U);
  EXPECT_EQ(at->records[0].value, "2");
  EXPECT_EQ(must_get("a"), (Record{key("a"), "2", first, second, 0}));
  auto watch = must_watch(gone + 1);
  EXPECT_EQ(events_of(*watch, 1).front().record.modified, last);
}

TEST_P(ConformanceWatch, ALeaseTakesItsKeysAlong) {
  auto watch = must_watch(0);
  const auto kept = store().grant(30s);
  const auto left = store().grant(1s);
  ASSERT_TRUE(kept && left);
  EXPECT_GE(left->ttl, 1s);
  must_put("kept", "", kept->id);
  must_put("plain", "");
  const Revision both = must_commit({{}, {put(key("left/1"), "", left->id), put(key("left/2"), "", left->id)}});
  EXPECT_EQ(must_get("left/1")->lease, left->id);
  // A put without the lease takes the key out of it.
  must_put("freed", "", left->id);
  must_put("freed", "");
  EXPECT_TRUE(eventually([&] { return !must_get("left/1"); }));
  EXPECT_EQ(must_get("left/2"), std::nullopt);
  EXPECT_TRUE(must_get("kept") && must_get("plain") && must_get("freed"));
  const auto events = events_of(*watch, 8);
  ASSERT_EQ(events.size(), 8U);
  EXPECT_EQ(events[6].kind, Event::Kind::removed);
  EXPECT_EQ(events[6].record.modified, events[7].record.modified);
  EXPECT_GT(events[6].record.modified, both);
  EXPECT_EQ(trouble(store().keep_alive(left->id)), Trouble::expired);
  EXPECT_EQ(trouble(store().commit({{}, {put(key("late"), "", left->id), put(key("x"), "")}})), Trouble::expired);
  EXPECT_EQ(must_get("x"), std::nullopt);
  ASSERT_TRUE(store().revoke(kept->id));
  EXPECT_EQ(must_get("kept"), std::nullopt);
  ASSERT_TRUE(store().revoke(kept->id));
  EXPECT_EQ(trouble(store().keep_alive(kept->id)), Trouble::expired);
}

TEST_P(ConformanceWatch, ALeaseThatIsKeptAliveStays) {
  // On a machine that stands still for longer than the lease, it may end: then once more.
  for (int tries = 0; tries < 10; ++tries) {
    const auto start = std::chrono::steady_clock::now();
    const auto lease = store().grant(1s);
    ASSERT_TRUE(lease) << lease.error().message;
    auto last = start;
    bool in_time = true;
    bool kept = true;
    while (in_time && kept && std::chrono::steady_clock::now() < start + 2 * lease->ttl) {
      const auto asked = std::chrono::steady_clock::now();
      kept = store().keep_alive(lease->id).has_value();
      in_time = std::chrono::steady_clock::now() - last < lease->ttl;
      last = asked;
    }
    if (!in_time) continue;
    EXPECT_TRUE(kept);
    return;
  }
  FAIL() << "the machine stood still again and again";
}

INSTANTIATE_TEST_SUITE_P(, ConformanceWatch, all_kinds(), kind_name);

}  // namespace
}  // namespace overlord::store
