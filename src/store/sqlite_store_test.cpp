// What a SQLite store does beyond conformance_test.cpp: several processes, crashes, and files that cannot be written.
#include "store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "store/conformance_fixture.h"

namespace overlord::store {
namespace {

using namespace std::chrono_literals;

class SqliteFile : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("overlord-sqlite-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    path = folder / "state.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<Store> open(const SqliteOptions& options = {}) {
    auto opened = open_sqlite(path, options);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return std::move(opened).value_or(nullptr);
  }
  // work() in a process of its own; the status it ends with. Before this process has threads.
  static int in_child(const std::function<int()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(work());
    int status = -1;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static Answer<Revision> put_one(Store& store, const std::string& key, const std::string& value) {
    return store.commit({{}, {put(key, value)}});
  }

  std::filesystem::path folder;
  std::string path;
};

TEST_F(SqliteFile, WatchesSeeWhatOtherProcessesCommit) {
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    char byte = 0;
    const bool told = ::read(go[0], &byte, 1) == 1;
    const auto store = open_sqlite(path);
    bool good = told && store;
    for (int i = 0; good && i < 100; ++i) good = put_one(**store, "/k", std::to_string(i)).has_value();
    ::_exit(good ? 0 : 1);
  }
  const auto store = open();
  const auto watch = store->watch("/", 0);
  ASSERT_TRUE(watch);
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  int seen = 0;
  EXPECT_TRUE(eventually([&] {
    const auto batch = (*watch)->next(1000ms);
    EXPECT_TRUE(batch) << batch.error().message;
    for (const Event& event : batch->events) EXPECT_EQ(event.record.value, std::to_string(seen++));
    return seen == 100;
  }));
  int status = -1;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  ::close(go[0]);
  ::close(go[1]);
}

TEST_F(SqliteFile, AKilledProcessLosesNothingThatItWasTold) {
  int known = 0;
  for (int round = 0; round < 5; ++round) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      const auto store = open_sqlite(path);
      if (!store) ::_exit(1);
      for (int i = known;; ++i) {
        // Two keys each time: never one of them alone.
        const std::string number = std::to_string(i);
        if (!(*store)->commit({{absent("/a/" + number)}, {put("/a/" + number, number), put("/b/" + number, number)}})) {
          ::_exit(1);
        }
        if (::write(told[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
    }
    ::close(told[1]);
    int last = known - 1;
    // Each time somewhere else in its work.
    for (int i = 0; i < 8 + 5 * round; ++i) ASSERT_EQ(::read(told[0], &last, sizeof last), ssize_t(sizeof last));
    ::kill(pid, SIGKILL);
    while (::read(told[0], &last, sizeof last) == ssize_t(sizeof last)) {
    }
    ::close(told[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));

    const int found = in_child([&] {
      const auto store = open_sqlite(path);
      if (!store) return 250;
      const auto a = list_all(**store, "/a/");
      const auto b = list_all(**store, "/b/");
      if (!a || !b || a->records.size() != b->records.size()) return 251;
      // What it was told, and at most the one that it was being told.
      const auto more = static_cast<int>(a->records.size()) - (last + 1);
      return more == 0 || more == 1 ? more : 252;
    });
    ASSERT_TRUE(found == 0 || found == 1) << found;
    known = last + 1 + found;
  }
  EXPECT_GT(known, 50);
}

TEST_F(SqliteFile, AFullStoreChangesNothing) {
  const auto store = open({.max_bytes = 512 * 1024});
  ASSERT_TRUE(put_one(*store, "/first", "1"));
  const std::string large(64 * 1024, 'x');
  int stored = 0;
  Answer<Revision> made;
  while ((made = put_one(*store, "/large/" + std::to_string(stored), large))) ASSERT_LT(++stored, 100);
  EXPECT_EQ(made.error().trouble, Trouble::unavailable) << made.error().message;
  EXPECT_NE(made.error().message.find("full"), std::string::npos) << made.error().message;
  const auto before = store->list("/");
  ASSERT_TRUE(before);
  EXPECT_EQ(before->records.size(), size_t(stored + 1));
  // Not even the part of it that would have fitted.
  EXPECT_FALSE(store->commit({{}, {put("/small", "1"), remove("/first"), put("/more", large)}}));
  const auto after = store->list("/");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->records, before->records);
  EXPECT_EQ(after->revision, before->revision);
  // There is room again when old states are forgotten.
  auto removed = store->commit({{}, {remove_prefix("/large/")}});
  ASSERT_TRUE(removed) << removed.error().message;
  ASSERT_TRUE(store->compact(*removed));
  EXPECT_TRUE(put_one(*store, "/large/again", large));
}

TEST_F(SqliteFile, AWriteThatFailsHalfwayChangesNothing) {
  ASSERT_TRUE(put_one(*open(), "/a", "1"));
  const int outcome = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto store = open_sqlite(path);
    if (!store || !put_one(**store, "/b", "2")) return 1;
    const rlimit small{200 * 1024, 200 * 1024};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto failed = (*store)->commit({{}, {put("/a", "2"), put("/c", std::string(kMaxValue / 2, 'x'))}});
    if (failed) return 2;
    if (failed.error().trouble != Trouble::unavailable && failed.error().trouble != Trouble::uncertain) return 3;
    const auto a = (*store)->get("/a");
    if (!a || !*a || (*a)->value != "1") return 4;
    const auto c = (*store)->get("/c");
    if (!c || *c) return 5;
    return put_one(**store, "/d", "4") ? 0 : 6;  // what fits is taken
  });
  EXPECT_EQ(outcome, 0);
  const auto store = open();
  EXPECT_EQ((*store->get("/a"))->value, "1");
  EXPECT_EQ((*store->get("/b"))->value, "2");
  EXPECT_EQ(*store->get("/c"), std::nullopt);
  EXPECT_EQ((*store->get("/d"))->value, "4");
}

TEST_F(SqliteFile, AReadOnlyFileIsRefusedAndStaysAsItIs) {
  ASSERT_TRUE(put_one(*open(), "/a", "1"));
  const auto bytes = [&] {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = bytes();
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  const int outcome = in_child([&] {
    // Not even root: for root every file can be written.
    if (::getuid() == 0 && ::setuid(65534) != 0) return 1;
    const auto store = open_sqlite(path);
    if (store) return 2;
    return store.error().trouble == Trouble::refused ? 0 : 3;
  });
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(bytes(), before);
}

TEST_F(SqliteFile, AnotherFileIsRefusedAndStaysAsItIs) {
  const std::string text = "# not a database, but long enough to be looked at as one\n" + std::string(4096, '#');
  std::ofstream(path) << text;
  const auto opened = open_sqlite(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().trouble, Trouble::refused);
  EXPECT_NE(opened.error().message.find(path), std::string::npos) << opened.error().message;
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
  EXPECT_EQ(open_sqlite(folder / "missing" / "state.db").error().trouble, Trouble::refused);
}

TEST_F(SqliteFile, ItsOwnerAloneMayReadIt) {
  const auto store = open();
  ASSERT_TRUE(put_one(*store, "/password", "1"));
  for (const char* end : {"", "-wal", "-shm"}) {
    struct stat found{};
    ASSERT_EQ(::stat((path + end).c_str(), &found), 0) << end;
    EXPECT_EQ(found.st_mode & 0777, 0600U) << end;
  }
}

TEST_F(SqliteFile, ALeaseOutlivesItsHolderUntilItsTimeIsOver) {
  auto store = open();
  const auto kept = store->grant(1h);
  const auto left = store->grant(1s);
  ASSERT_TRUE(kept && left);
  ASSERT_TRUE(store->commit({{}, {put("/kept", "", kept->id), put("/left", "", left->id)}}));
  store.reset();
  store = open();
  EXPECT_TRUE(store->keep_alive(kept->id));
  EXPECT_TRUE(eventually([&] { return !*store->get("/left"); }));
  EXPECT_TRUE(*store->get("/kept"));
  // One that ends while nobody has the store open is gone before anybody reads.
  const auto short_one = store->grant(1s);
  ASSERT_TRUE(short_one && store->commit({{}, {put("/short", "", short_one->id)}}));
  store.reset();
  const auto over = std::chrono::steady_clock::now() + 1001ms;
  EXPECT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > over; }));
  EXPECT_EQ(*open()->get("/short"), std::nullopt);
}

TEST_F(SqliteFile, AWriterThatIsBusyForLongIsUnavailable) {
  const auto store = open({.busy_wait = 10ms});
  sqlite3* other = nullptr;
  ASSERT_EQ(::sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(::sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto made = put_one(*store, "/a", "1");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().trouble, Trouble::unavailable) << made.error().message;
  EXPECT_TRUE(store->get("/a"));  // who only reads does not wait
  ::sqlite3_close(other);
  EXPECT_TRUE(put_one(*store, "/a", "1"));
}

}  // namespace
}  // namespace overlord::store
