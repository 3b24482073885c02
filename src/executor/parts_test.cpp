// The small parts: records of tasks, files, locks, logs, limits, processes.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>

#include "executor/cluster_memory.h"
#include "executor/fixture.h"
#include "executor/limits.h"
#include "executor/node_log.h"
#include "executor/process.h"
#include "executor/task_file.h"

namespace overlord::executor {
namespace {

using testing::HasSubstr;
using testing::Not;

void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
std::string got(const std::string& path) { return read_file(path, 1 << 20).value_or("(none)"); }

TEST(TaskFile, IsReadAsItWasWritten) {
  TaskRecord record;
  record.task = task_of(model::CacheType::redis_cluster, "127.0.0.1", 7000);
  record.task.password = "secret";
  record.task.settings = {{"hz", "20"}};
  record.process = {.pid = 42, .started = 1'234'567, .boot = "boot"};
  record.server = "/usr/bin/redis-server 7.0.15";
  record.stop = true;
  record.stop_by = 1'700'000'000'000;
  record.health = model::Health::sick;
  record.message = "does not answer\n\xff";
  record.restarts = 3;
  record.in_a_row = 2;
  record.wiped = true;
  auto read = task_record(to_json(record));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->message, HasSubstr("does not answer\n"));
  read->message = record.message;
  EXPECT_EQ(*read, record);
  EXPECT_THAT(status_json(record), Not(HasSubstr("secret")));
  EXPECT_THAT(event_json(7, record, true), HasSubstr("\"number\":7,\"removed\":true"));
}

TEST(TaskFile, GarbageIsAnError) {
  for (const char* text : {"", "{}", "[]", "{\"task\":1}", "{\"task\":{},\"pid\":\"1\"}", "{\"task\":{},\"pid\":1e99}",
                           "{\"task\":{},\"restarts\":-1}", "{\"task\":{},\"stop\":1}", "\xff\xfe"}) {
    EXPECT_FALSE(task_record(text)) << text;
  }
}

TEST(Files, AreReplacedWholeAndOnlyForTheirOwner) {
  TestFolder folder;
  ASSERT_TRUE(write_file(folder / "f", "one"));
  ASSERT_TRUE(write_file(folder / "f", "two"));
  EXPECT_EQ(got(folder / "f"), "two");
  struct stat facts{};
  ASSERT_EQ(::stat((folder / "f").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_FALSE(read_file(folder / "f", 2)) << "longer than allowed";
  EXPECT_FALSE(write_file(folder / "no/f", "x"));
  EXPECT_EQ(end_of_file(folder / "f", 2), "wo");
}

TEST(Files, ALockSaysWhoHoldsIt) {
  TestFolder folder;
  auto first = FileLock::take(folder / "lock", false);
  ASSERT_TRUE(first);
  const auto second = FileLock::take(folder / "lock", false);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("pid " + std::to_string(::getpid())));
  first = FileLock();
  EXPECT_TRUE(FileLock::take(folder / "lock", false));
}

TEST(NodeLog, IsMovedAsideBySize) {
  TestFolder folder;
  const NodeLogOptions options{.bytes = 10, .count = 2};
  for (const char* text : {"the first log\n", "the second log\n", "the third log\n"}) {
    put(folder / "redis.log", text);
    // Stays open, as a server has it.
    const net::UniqueFd console(::open((folder / "console.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
    ASSERT_GT(::write(console.get(), text, std::strlen(text)), 0);
    rotate_node_logs(folder.path(), options);
    ASSERT_GT(::write(console.get(), "more\n", 5), 0);
    EXPECT_EQ(got(folder / "console.log"), "more\n");
    ASSERT_EQ(::truncate((folder / "console.log").c_str(), 0), 0);
  }
  EXPECT_EQ(got(folder / "redis.log"), "(none)");
  for (const char* name : {"redis.log", "console.log"}) {
    EXPECT_EQ(got(folder / (std::string(name) + ".1")), "the third log\n");
    EXPECT_EQ(got(folder / (std::string(name) + ".2")), "the second log\n");
    EXPECT_EQ(got(folder / (std::string(name) + ".3")), "(none)");
  }
  put(folder / "redis.log", "small\n");
  rotate_node_logs(folder.path(), options);
  EXPECT_EQ(got(folder / "redis.log"), "small\n");
}

TEST(NodeLog, LastWordsAreOneLineOfTheLogWrittenLast) {
  TestFolder folder;
  EXPECT_EQ(last_words(folder.path()), "");
  put(folder / "console.log", "*** FATAL\nBad directive \x1b[1m\n\n");
  EXPECT_EQ(last_words(folder.path()), "Bad directive \\x1b[1m");
}

// A folder that looks like a cgroup of version 2.
TEST(Limits, AreFilesOfTheNodesGroup) {
  TestFolder folder;
  put(folder / "cgroup.subtree_control", "");
  const auto limits = Limits::make(folder.path());
  EXPECT_EQ(got(folder / "cgroup.subtree_control"), "+memory +cpu");
  const auto task = task_of(model::CacheType::redis, "127.0.0.1", 7000);
  ASSERT_TRUE(make_folder(folder / "node-7000"));
  for (const char* name : {"memory.max", "memory.swap.max", "memory.oom.group", "cpu.weight"}) {
    put(folder / ("node-7000/" + std::string(name)), "");
  }
  const auto prepared = limits.prepare(task);
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(prepared->procs, folder / "node-7000/cgroup.procs");
  EXPECT_EQ(prepared->address_space, 0U);
  EXPECT_EQ(got(folder / "node-7000/memory.max"), std::to_string(32ULL << 20U));
  EXPECT_EQ(got(folder / "node-7000/memory.swap.max"), "0");
  EXPECT_EQ(got(folder / "node-7000/cpu.weight"), "10");
}

TEST(Limits, AreAFenceWhereThereAreNoGroups) {
  TestFolder folder;
  const auto limits = Limits::make("auto", folder.path());
  EXPECT_EQ(limits.text(), "address space");
  const auto prepared = limits.prepare(task_of(model::CacheType::redis, "127.0.0.1", 7000));
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->procs, "");
  EXPECT_GT(prepared->address_space, 1ULL << 31U);
  EXPECT_EQ(Limits::make("none").prepare({})->address_space, 0U);
}

class ProcessTest : public testing::Test {
 protected:
  Result<Process> start(const std::string& script) {
    const Start start{
        .program = "/bin/sh", .arguments = {"-c", script}, .folder = folder_.path(), .log = folder_ / "log"};
    return Process::start(start, [this](const ProcessId& id) {
      recorded_ = id;
      return Result<void>{};
    });
  }
  static std::string end_of(Process& process) {
    EXPECT_TRUE(eventually([&] { return process.ended().has_value(); }));
    return *process.ended();
  }
  TestFolder folder_;
  ProcessId recorded_;
};

TEST_F(ProcessTest, RunsInItsFolderWithItsLog) {
  auto process = start("pwd; echo $$; ls /proc/self/fd | wc -l; exit 3");
  ASSERT_TRUE(process) << process.error().message;
  EXPECT_EQ(end_of(*process), "exit status 3");
  EXPECT_EQ(process->id(), recorded_);
  const std::string text = got(folder_ / "log");
  EXPECT_THAT(text, testing::StartsWith(folder_.path() + "\n" + std::to_string(recorded_.pid) + "\n"));
  EXPECT_THAT(text, testing::EndsWith("\n4\n")) << "0 to 2, and that of ls";
}

TEST_F(ProcessTest, DoesNotBeginWhatCannotBeWrittenDown) {
  const Start start{
      .program = "/bin/sh", .arguments = {"-c", "touch began"}, .folder = folder_.path(), .log = folder_ / "log"};
  pid_t pid = 0;
  const auto process = Process::start(start, [&](const ProcessId& id) -> Result<void> {
    pid = id.pid;
    return fail("the disk is full");
  });
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().message, "the disk is full");
  EXPECT_NE(::kill(pid, 0), 0);
  EXPECT_FALSE(exists(folder_ / "began"));
}

TEST_F(ProcessTest, SaysWhyItCannotBegin) {
  Start start{.program = "/no/such", .arguments = {}, .folder = folder_.path(), .log = folder_ / "log"};
  const auto record = [](const ProcessId&) { return Result<void>{}; };
  EXPECT_EQ(Process::start(start, record).error().message, "cannot run /no/such: No such file or directory");
  start.program = "/bin/sh";
  start.folder = "/no/such";
  EXPECT_EQ(Process::start(start, record).error().message, "cannot enter /no/such: No such file or directory");
}

TEST_F(ProcessTest, IsKilledWithItsChildren) {
  auto process = start("sleep 1000 & echo $! > child; wait");
  ASSERT_TRUE(process);
  ASSERT_TRUE(eventually([&] { return got(folder_ / "child").ends_with("\n"); }));
  const pid_t child = std::stoi(got(folder_ / "child"));
  process->kill();
  EXPECT_EQ(end_of(*process), "killed by signal 9 (Killed)");
  EXPECT_FALSE(process->signal(SIGTERM));
  // Its parent is init now, which reaps it in its own time.
  EXPECT_TRUE(eventually(
      [&] { return ::kill(child, 0) != 0 || got("/proc/" + std::to_string(child) + "/stat").contains(") Z "); }));
}

TEST(ClusterMemory, KnowsAMasterThatIsCopied) {
  const std::string me = std::string(40, 'a');
  const std::string other = std::string(40, 'b');
  const std::string copy = other + " 10.0.0.2:1@10001 slave " + me + " 0 1 1 connected\n";
  const std::string vars = "vars currentEpoch 6 lastVoteEpoch 0\n";
  EXPECT_TRUE(has_heirs(copy + me + " 10.0.0.1:1@10001 myself,master - 0 0 1 connected 0-5460\n" + vars));
  EXPECT_TRUE(has_heirs(me + " 10.0.0.1:1@10001 myself,master - 0 0 1 connected 7\n" + copy));
  EXPECT_FALSE(has_heirs(me + " 10.0.0.1:1@10001 myself,master - 0 0 1 connected\n" + copy)) << "no slots";
  EXPECT_FALSE(has_heirs(me + " 10.0.0.1:1@10001 myself,master - 0 0 1 connected 0-5460\n" + vars)) << "no replica";
  EXPECT_FALSE(has_heirs(me + " 10.0.0.1:1@10001 myself,slave " + other + " 0 0 1 connected\n"));
  EXPECT_FALSE(has_heirs(""));
  EXPECT_FALSE(has_heirs("\n\n \nmyself master\n"));
}

TEST_F(ProcessTest, IsAdoptedOnlyIfItIsTheSame) {
  auto process = start("sleep 1000");
  ASSERT_TRUE(process);
  EXPECT_TRUE(Process::adopt(recorded_));
  ProcessId other = recorded_;
  ++other.started;
  EXPECT_FALSE(Process::adopt(other)) << "its pid was given to another";
  other = recorded_;
  other.boot = "an earlier one";
  EXPECT_FALSE(Process::adopt(other));
  process->kill();
  (void)end_of(*process);
  EXPECT_FALSE(Process::adopt(recorded_));
}

}  // namespace
}  // namespace overlord::executor
