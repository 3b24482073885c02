// What every store does: reads, transactions, pages, bounds.
#include <algorithm>
#include <thread>

#include "store/conformance_fixture.h"

namespace overlord::store {
namespace {

using namespace std::chrono_literals;

TEST_P(Conformance, GivesBackWhatWasPut) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const Revision first = must_put(all, all);
  const Revision second = must_put("empty", "");
  EXPECT_GT(second, first);
  EXPECT_EQ(must_get(all), (Record{key(all), all, first, first, 0}));
  EXPECT_EQ(must_get("empty"), (Record{key("empty"), "", second, second, 0}));
  const Revision third = must_put(all, "new");
  EXPECT_EQ(must_get(all), (Record{key(all), "new", first, third, 0}));
  const Revision removed = must_commit({{}, {remove(key(all))}});
  EXPECT_EQ(removed, third + 1);
  EXPECT_EQ(must_get(all), std::nullopt);
  const Revision again = must_put(all, "again");
  EXPECT_EQ(must_get(all), (Record{key(all), "again", again, again, 0}));
  // As it was.
  const auto before = store().get(key(all), second);
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_EQ(*before, (Record{key(all), all, first, first, 0}));
  const auto gone = store().get(key(all), removed);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(*gone, std::nullopt);
  EXPECT_EQ(trouble(store().get(key(all), again + 1000)), Trouble::refused);
}

TEST_P(Conformance, ListsPagesOfOneState) {
  Transaction many;
  for (int i = 0; i < 100; ++i) {
    std::string number = std::to_string(1000 + i);
    many.changes.push_back(put(key("list/" + number), "v" + number));
  }
  const Revision made = must_commit(many);
  must_put("lisu", "behind the prefix");
  must_put("lis", "before it");
  std::vector<std::string> seen;
  ListOptions options{.limit = 30};
  for (int page_number = 0; page_number < 4; ++page_number) {
    const auto page = store().list(key("list/"), options);
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->more, page_number < 3);
    EXPECT_EQ(page->records.size(), page_number < 3 ? 30U : 10U);
    EXPECT_GE(page->revision, made);
    if (page_number == 0) options.at = page->revision;
    EXPECT_EQ(page->revision, options.at);
    for (const Record& record : page->records) {
      seen.push_back(record.key);
      EXPECT_EQ(record.modified, made);
      EXPECT_EQ(record.value, "v" + record.key.substr(key("list/").size()));
    }
    options.after = seen.back();
    // Later pages do not show what happens meanwhile.
    must_commit({{}, {remove(key("list/" + std::to_string(1099 - page_number))), put(key("list/11"), "new")}});
  }
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back(), key("list/1099"));
  const auto now = list_all(store(), key("list/"));
  ASSERT_TRUE(now);
  EXPECT_EQ(now->records.size(), 97U);  // 4 removed, 1 put
  EXPECT_EQ(trouble(list_all(store(), key("list/"), 96)), Trouble::refused);
  const auto nothing = store().list(key("nothing"));
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->records.empty());
  EXPECT_FALSE(nothing->more);
  EXPECT_EQ(trouble(store().list(key("list/"), {.after = "/other"})), Trouble::refused);
  EXPECT_EQ(trouble(store().list(key("list/"), {.limit = 0})), Trouble::refused);
  EXPECT_EQ(trouble(store().list(key("list/"), {.at = now->revision + 1000})), Trouble::refused);
}

TEST_P(Conformance, APrefixMayEndWithTheLargestByte) {
  must_put("a\xff", "1");
  must_put("a\xff\xff", "2");
  must_put("b", "3");
  const auto page = store().list(key("a\xff"));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->records.size(), 2U);
  must_commit({{}, {remove_prefix(key("a\xff"))}});
  const auto rest = store().list(key(""));
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->records.size(), 1U);
  EXPECT_EQ(rest->records[0].key, key("b"));
  const auto everything = store().list("");
  ASSERT_TRUE(everything) << everything.error().message;
  EXPECT_FALSE(everything->records.empty());
}

TEST_P(Conformance, ATransactionIsDoneWholeOrNotAtAll) {
  const Revision made = must_commit({{absent(key("a")), absent(key("b"))}, {put(key("a"), "1"), put(key("b"), "2")}});
  EXPECT_EQ(must_get("a")->modified, made);
  EXPECT_EQ(must_get("b")->modified, made);
  const Revision changed = must_commit({{unchanged(*must_get("a")), exists(key("b")), created_at(key("b"), made)},
                                        {put(key("a"), "3"), remove(key("b")), put(key("c"), "4")}});
  EXPECT_EQ(changed, made + 1);
  EXPECT_EQ(must_get("b"), std::nullopt);

  const auto conflict = [&](const Condition& condition, const std::string& words) {
    const auto answer = store().commit({{exists(key("a")), condition}, {put(key("a"), "no"), remove(key("c"))}});
    EXPECT_EQ(trouble(answer), Trouble::conflict);
    if (!answer) {
      EXPECT_EQ(answer.error().message, "\"" + key(words));
    }
  };
  const std::string numbers = std::to_string(changed) + ", not " + std::to_string(made);
  conflict(modified_at(key("a"), made), "a\" was changed at revision " + numbers);
  conflict(created_at(key("c"), made), "c\" was made at revision " + numbers);
  conflict(absent(key("c")), "c\" exists");
  conflict(exists(key("b")), "b\" does not exist");
  conflict(modified_at(key("b"), made), "b\" does not exist");
  EXPECT_EQ(must_get("a"), (Record{key("a"), "3", made, changed, 0}));
  EXPECT_EQ(must_get("c"), (Record{key("c"), "4", changed, changed, 0}));
  // Conditions alone, and changes that change nothing, leave the revision.
  EXPECT_EQ(must_commit({{exists(key("a"))}, {}}), changed);
  EXPECT_EQ(must_commit({{}, {remove(key("b")), remove_prefix(key("nothing/"))}}), changed);
}

TEST_P(Conformance, RemovesAllBelowAPrefix) {
  for (const char* name : {"p/1", "p/2", "p/2/3", "p0", "p"}) must_put(name, "x");
  const Revision made = must_commit({{}, {remove_prefix(key("p/")), put(key("q"), "y")}});
  const auto page = store().list(prefix_);
  ASSERT_TRUE(page);
  std::vector<std::string> left;
  for (const Record& record : page->records) left.push_back(record.key.substr(prefix_.size()));
  EXPECT_EQ(left, (std::vector<std::string>{"p", "p0", "q"}));
  EXPECT_EQ(must_get("q")->modified, made);
}

TEST_P(Conformance, RefusesWhatIsBeyondItsBounds) {
  EXPECT_EQ(trouble(store().get("")), Trouble::refused);
  EXPECT_EQ(trouble(store().get(std::string(kMaxKey + 1, 'k'))), Trouble::refused);
  EXPECT_EQ(trouble(store().commit({{}, {put("", "x")}})), Trouble::refused);
  EXPECT_EQ(trouble(store().commit({{}, {put(key("big"), std::string(kMaxValue + 1, 'v'))}})), Trouble::refused);
  EXPECT_EQ(trouble(store().commit({{}, {put(key("a"), "1"), put(key("a"), "2")}})), Trouble::refused);
  EXPECT_EQ(trouble(store().commit({{}, {put(key("a/b"), "1"), remove_prefix(key("a/"))}})), Trouble::refused);
  Transaction many;
  for (size_t i = 0; i < kMaxOperations; ++i) many.changes.push_back(put(key(std::to_string(i)), ""));
  must_commit(many);
  many.changes.push_back(put(key("one more"), ""));
  EXPECT_EQ(trouble(store().commit(many)), Trouble::refused);
  Transaction heavy;
  for (int i = 0; i < 4; ++i) heavy.changes.push_back(put(key(std::to_string(i)), std::string(kMaxValue / 2, 'v')));
  EXPECT_EQ(trouble(store().commit(heavy)), Trouble::refused);
  EXPECT_EQ(must_get("a"), std::nullopt);
  EXPECT_EQ(trouble(store().grant(0s)), Trouble::refused);
  EXPECT_EQ(trouble(store().watch(prefix_, -1)), Trouble::refused);
}

TEST_P(Conformance, LargestValuesComeInSmallerPages) {
  const std::string large(kMaxValue, 'L');
  const int count = 12;  // more than an answer may have
  for (int i = 0; i < count; ++i) must_put("large/" + std::to_string(100 + i), large);
  const auto first = store().list(key("large/"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->more);
  EXPECT_LT(first->records.size(), size_t(count));
  const auto all = list_all(store(), key("large/"));
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->records.size(), size_t(count));
  EXPECT_TRUE(std::ranges::all_of(all->records, [&](const Record& record) { return record.value == large; }));
  auto watch = must_watch(all->records.front().modified);
  EXPECT_EQ(events_of(*watch, count).back().record.value, large);
}

TEST_P(Conformance, ManyWritersOfOneKeyLoseNothing) {
  must_put("count", "0");
  constexpr int kWriters = 4;
  constexpr int kEach = 15;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([this, own = another()] {
      for (int done = 0; done < kEach;) {
        const auto record = own->get(key("count"));
        ASSERT_TRUE(record && *record);
        const std::string next = std::to_string(std::stoi((*record)->value) + 1);
        const auto made = own->commit({{unchanged(**record)}, {put(key("count"), next)}});
        if (made) ++done;
        ASSERT_TRUE(made || made.error().trouble == Trouble::conflict) << made.error().message;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(must_get("count")->value, std::to_string(kWriters * kEach));
}

INSTANTIATE_TEST_SUITE_P(, Conformance, all_kinds(), kind_name);

}  // namespace
}  // namespace overlord::store
