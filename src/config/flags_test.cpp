#include "config/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

namespace overlord::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<Flags> parse(std::initializer_list<std::string_view> args) {
  return parse_flags(std::span<const std::string_view>(args.begin(), args.size()));
}

Flags good(std::initializer_list<std::string_view> args) {
  auto flags = parse(args);
  EXPECT_TRUE(flags.has_value()) << flags.error().message;
  return flags.value_or(Flags{});
}

TEST(Flags, BothDashesAndBothValueForms) {
  const std::initializer_list<std::string_view> forms[] = {
      {"-cluster=a.toml", "-t"},
      {"--cluster=a.toml", "--t"},
      {"-cluster", "a.toml", "-t=true"},
      {"--cluster", "a.toml", "--t=1"},
      {"-cluster=b", "positional", "-", "-cluster=a.toml", "-t=T"},
  };
  for (const auto& form : forms) {
    const Flags flags = good(form);
    EXPECT_EQ(flags.cluster, "a.toml");
    EXPECT_TRUE(flags.check);
    EXPECT_THAT(flag_notices(flags), IsEmpty());
  }
}

TEST(Flags, EveryFlagReachesItsField) {
  const Flags flags = good({"-cluster=c",
                            "-conf=p",
                            "-t",
                            "-stat=:2110",
                            "-metrics",
                            "-reload",
                            "-slowlog=s",
                            "-slower-than",
                            "10",
                            "-slower-max-bytes=11",
                            "-slower-backup-count=12",
                            "-std",
                            "-debug",
                            "-log=l",
                            "-log-vl=3",
                            "-version",
                            "-h",
                            "-workers=4",
                            "-io=epoll",
                            "--convert-nutcracker",
                            "n.yml"});
  EXPECT_EQ(flags.cluster, "c");
  EXPECT_EQ(flags.conf, "p");
  EXPECT_TRUE(flags.check);
  EXPECT_EQ(flags.stat, ":2110");
  EXPECT_TRUE(flags.metrics);
  EXPECT_TRUE(flags.reload);
  EXPECT_EQ(flags.slowlog, "s");
  EXPECT_EQ(flags.slower_than, 10);
  EXPECT_EQ(flags.slower_max_bytes, 11);
  EXPECT_EQ(flags.slower_backup_count, 12);
  EXPECT_TRUE(flags.to_stdout);
  EXPECT_TRUE(flags.debug);
  EXPECT_EQ(flags.log, "l");
  EXPECT_EQ(flags.log_verbosity, 3);
  EXPECT_TRUE(flags.version);
  EXPECT_TRUE(flags.help);
  EXPECT_EQ(flags.workers, 4U);
  EXPECT_EQ(flags.io, IoDriver::epoll);
  EXPECT_EQ(flags.convert_nutcracker, "n.yml");
}

TEST(Flags, BooleansTakeNoSeparateValueAndCanBeSwitchedOff) {
  const Flags flags = good({"-t", "false", "-std=false", "-debug=F", "-reload=0"});
  EXPECT_TRUE(flags.check);
  EXPECT_FALSE(flags.to_stdout);
  EXPECT_FALSE(flags.debug);
  EXPECT_FALSE(flags.reload);
}

TEST(Flags, NothingAfterTwoDashesIsAFlag) { EXPECT_FALSE(good({"--", "-t"}).check); }

TEST(Flags, MistakesAnswerWithTheReasonAndTheUsage) {
  struct Case {
    std::initializer_list<std::string_view> args;
    const char* expected;
  };
  const Case cases[] = {
      {{"-clutser=x"}, "unknown flag: -clutser; did you mean -cluster?"},
      {{"-frobnicate"}, "unknown flag: -frobnicate\n"},
      {{"-cluster"}, "flag -cluster needs a value"},
      {{"-t=maybe"}, "flag -t=maybe: must be true or false"},
      {{"-slower-than=1.5"}, "flag -slower-than=1.5: must be a whole number"},
      {{"-slower-than="}, "must be a whole number"},
      {{"-slower-than=-1"}, "-slower-than must be from 0"},
      {{"-log-vl=99999"}, "-log-vl must be from 0 to 1000"},
      {{"-slower-backup-count=-1"}, "-slower-backup-count must be from 0 to 1000"},
      {{"-stat=nowhere"}, "-stat \"nowhere\": the :port is missing"},
      {{"-workers=-1"}, "flag -workers=-1: must be a number from 0 to 1024"},
      {{"-workers=1025"}, "must be a number from 0 to 1024"},
      {{"-io=kqueue"}, "flag -io=kqueue: must be auto, epoll or io_uring"},
      {{"---t"}, "bad flag syntax: ---t"},
      {{"-=x"}, "bad flag syntax: -=x"},
      {{"-T"}, "unknown flag: -T"},
  };
  for (const Case& c : cases) {
    const auto flags = parse(c.args);
    ASSERT_FALSE(flags.has_value()) << c.expected;
    EXPECT_THAT(flags.error().message, HasSubstr(c.expected));
    EXPECT_THAT(flags.error().message, HasSubstr("Usage: overlord-proxy"));
  }
}

TEST(Flags, OfTheSlowLogGoToTheProcess) {
  ProcessConfig process;
  apply_flags(good({"-slowlog=x"}), process);
  EXPECT_EQ(process.slowlog.file, "x");
  EXPECT_EQ(process.slowlog.max_bytes, 500'000'000U);
  EXPECT_EQ(process.slowlog.backup_count, 7U);
  apply_flags(good({"-slowlog=x", "-slower-max-bytes=-1", "-slower-backup-count=0"}), process);
  EXPECT_EQ(process.slowlog.max_bytes, 0U);
  EXPECT_EQ(process.slowlog.backup_count, 0U);
}

TEST(Flags, StandOverTheFiles) {
  ProcessConfig process;
  process.stat = "a";
  process.use_metrics = false;
  process.workers = 4;
  process.log.file = "f";
  process.log.verbosity = 2;
  apply_flags(good({}), process);
  EXPECT_EQ(process.stat, "a");
  EXPECT_FALSE(process.use_metrics);
  EXPECT_EQ(process.workers, 4U);
  EXPECT_EQ(process.log.file, "f");
  EXPECT_EQ(process.log.verbosity, 2U);
  EXPECT_FALSE(process.log.to_stdout);

  apply_flags(good({"-stat=:1", "-metrics", "-workers=0", "-log=g", "-log-vl=3", "-debug", "-io=io_uring"}), process);
  EXPECT_EQ(process.stat, ":1");
  EXPECT_TRUE(process.use_metrics);
  EXPECT_EQ(process.workers, 0U);
  EXPECT_EQ(process.log.file, "g");
  EXPECT_EQ(process.log.verbosity, 3U);
  EXPECT_TRUE(process.log.to_stdout);
  EXPECT_EQ(process.io, IoDriver::io_uring);

  ClusterFile file;
  file.clusters.resize(2);
  file.clusters[0].slowlog_slower_than = microseconds(7);
  apply_flags(good({}), file);
  EXPECT_EQ(file.clusters[0].slowlog_slower_than.count(), 7);
  apply_flags(good({"-slower-than=9"}), file);
  EXPECT_EQ(file.clusters[0].slowlog_slower_than.count(), 9);
  EXPECT_EQ(file.clusters[1].slowlog_slower_than.count(), 9);
}

TEST(Flags, ArgvSkipsTheProgram) {
  const char* argv[] = {"-t", "-std"};
  const auto flags = parse_flags(2, argv);
  ASSERT_TRUE(flags.has_value());
  EXPECT_FALSE(flags->check);
  EXPECT_TRUE(flags->to_stdout);
}

TEST(Flags, UsageNamesEveryFlag) {
  const std::string usage = usage_text();
  for (std::string_view name : flag_names()) EXPECT_THAT(usage, HasSubstr("\n  -" + std::string(name) + " "));
}

}  // namespace
}  // namespace overlord::config
