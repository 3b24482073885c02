#pragma once
// For tests: a store of each kind behind one interface. Every test has keys of its own, below key().

#include <gtest/gtest.h>

#include "store/etcd_fixture.h"
#include "store/sqlite_store.h"
#include "store/store.h"

namespace overlord::store {

enum class Kind { sqlite, etcd };
inline std::ostream& operator<<(std::ostream& out, Kind kind) {
  return out << (kind == Kind::sqlite ? "sqlite" : "etcd");
}

class Conformance : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = testing::TempDir() + "overlord-store-" + std::to_string(::getpid()) + "-" + name.substr(0, name.find('/')) +
            ".db";
    prefix_ = "/test/" + name.substr(0, name.find('/')) + "/";
    store_ = another();
    ASSERT_NE(store_, nullptr);
  }
  void TearDown() override {
    store_.reset();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
  }
  // As another process has it.
  std::unique_ptr<Store> another() {
    Answer<std::unique_ptr<Store>> opened;
    if (GetParam() == Kind::sqlite) {
      opened = open_sqlite(path_);
    } else {
      static Etcd etcd;
      opened = open_etcd({.members = etcd.members()});
    }
    if (opened) return std::move(*opened);
    ADD_FAILURE() << opened.error().message;
    return nullptr;
  }
  std::string key(const std::string& name) const { return prefix_ + name; }
  Store& store() { return *store_; }

  Revision must_commit(const Transaction& transaction) {
    const auto made = store().commit(transaction);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made.value_or(0);
  }
  Revision must_put(const std::string& name, const std::string& value, LeaseId lease = 0) {
    return must_commit({{}, {put(key(name), value, lease)}});
  }
  std::optional<Record> must_get(const std::string& name) {
    const auto got = store().get(key(name));
    EXPECT_TRUE(got.has_value()) << got.error().message;
    return got.value_or(std::nullopt);
  }
  std::unique_ptr<Watch> must_watch(Revision from) {
    auto watch = store().watch(prefix_, from);
    EXPECT_TRUE(watch.has_value()) << watch.error().message;
    return std::move(watch).value_or(nullptr);
  }
  // So many events, however many batches they come in. The names are without the prefix.
  std::vector<Event> events_of(Watch& watch, size_t count) {
    std::vector<Event> events;
    EXPECT_TRUE(eventually([&] {
      const auto batch = watch.next(std::chrono::milliseconds(1000));
      EXPECT_TRUE(batch || batch.error().trouble == Trouble::unavailable) << batch.error().message;
      if (!batch) return batch.error().trouble != Trouble::unavailable;
      for (Event event : batch->events) {
        event.record.key = event.record.key.substr(prefix_.size());
        events.push_back(std::move(event));
      }
      return events.size() >= count;
    }));
    EXPECT_EQ(events.size(), count);
    return events;
  }
  template <typename T>
  static Trouble trouble(const Answer<T>& answer) {
    EXPECT_FALSE(answer.has_value());
    return answer.has_value() ? Trouble::uncertain : answer.error().trouble;
  }

  std::string prefix_;

 private:
  std::string path_;
  std::unique_ptr<Store> store_;
};

inline std::string kind_name(const testing::TestParamInfo<Kind>& param) {
  return param.param == Kind::sqlite ? "Sqlite" : "Etcd";
}
inline auto all_kinds() { return testing::Values(Kind::sqlite, Kind::etcd); }

}  // namespace overlord::store
