#include "executor/versions.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "executor/archive.h"
#include "executor/fixture.h"
#include "http/server.h"

namespace overlord::executor {
namespace {

using testing::HasSubstr;

struct Entry {
  std::string name;
  std::string text{};
  unsigned mode = 0755;
  std::string symlink{};
  std::string hardlink{};
  unsigned type = AE_IFREG;
};

void pack(const std::string& path, const std::vector<Entry>& entries) {
  archive* const out = ::archive_write_new();
  ::archive_write_add_filter_gzip(out);
  ::archive_write_set_format_pax_restricted(out);
  ASSERT_EQ(::archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const Entry& each : entries) {
    archive_entry* const entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, each.name.c_str());
    ::archive_entry_set_filetype(entry, each.symlink.empty() ? each.type : AE_IFLNK);
    ::archive_entry_set_perm(entry, each.mode);
    if (!each.symlink.empty()) ::archive_entry_set_symlink(entry, each.symlink.c_str());
    if (!each.hardlink.empty()) ::archive_entry_set_hardlink(entry, each.hardlink.c_str());
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(each.text.size()));
    ASSERT_EQ(::archive_write_header(out, entry), ARCHIVE_OK) << ::archive_error_string(out);
    ::archive_write_data(out, each.text.data(), each.text.size());
    ::archive_entry_free(entry);
  }
  ::archive_write_close(out);
  ::archive_write_free(out);
}

const std::atomic<bool> kGoOn{false};

std::string error_of(const Result<void>& result) { return result ? "none" : result.error().message; }

TEST(Archive, KeepsModesButNotThoseOfOtherUsers) {
  TestFolder folder;
  pack(folder / "a.tar.gz", {{.name = "./x/", .type = AE_IFDIR},
                             {.name = "./x/run", .text = "#!/bin/sh\n", .mode = 04755},
                             {.name = "x/read", .text = "text", .mode = 0640},
                             {.name = "x/link", .symlink = "read"},
                             {.name = "x/same", .hardlink = "x/run"}});
  ASSERT_TRUE(make_folder(folder / "to"));
  ASSERT_EQ(error_of(unpack(folder / "a.tar.gz", folder / "to", kGoOn)), "none");
  struct stat facts{};
  ASSERT_EQ(::stat((folder / "to/x/run").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0755U);
  ASSERT_EQ(::stat((folder / "to/x/read").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0640U);
  EXPECT_EQ(read_file(folder / "to/x/link", 100), "text");
  EXPECT_EQ(read_file(folder / "to/x/same", 100), "#!/bin/sh\n");
}

TEST(Archive, NothingLeavesItsFolder) {
  TestFolder folder;
  ASSERT_TRUE(make_folder(folder / "to"));
  const std::vector<std::vector<Entry>> bad{
      {{.name = "../out", .text = "x"}},
      {{.name = "a/../../out", .text = "x"}},
      {{.name = folder / "out", .text = "x"}},
      {{.name = "link", .symlink = "../"}},
      {{.name = "link", .symlink = folder.path()}},
      {{.name = "hard", .hardlink = "../secret"}},
      {{.name = "fifo", .type = AE_IFIFO}},
  };
  std::ofstream(folder / "secret") << "secret";
  for (size_t i = 0; i < bad.size(); ++i) {
    pack(folder / "bad.tar.gz", bad[i]);
    EXPECT_NE(error_of(unpack(folder / "bad.tar.gz", folder / "to", kGoOn)), "none") << i;
    EXPECT_FALSE(exists(folder / "out")) << i;
  }
  // Through a link within, that was a folder's name.
  pack(folder / "bad.tar.gz", {{.name = "d", .symlink = "e"}, {.name = "d/out", .text = "x"}});
  EXPECT_NE(error_of(unpack(folder / "bad.tar.gz", folder / "to", kGoOn)), "none");
  std::ofstream(folder / "no.tar.gz") << "this is no archive";
  EXPECT_THAT(error_of(unpack(folder / "no.tar.gz", folder / "to", kGoOn)), HasSubstr("no.tar.gz"));
  std::ofstream(folder / "empty.tar.gz") << "";
  EXPECT_NE(error_of(unpack(folder / "empty.tar.gz", folder / "to", kGoOn)), "none");
}

TEST(Archive, DigestIsThatOfSha256sum) {
  TestFolder folder;
  std::ofstream(folder / "f") << "abc";
  EXPECT_EQ(sha256_of(folder / "f"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// A file server with one archive, which holds a "redis-server" that says that it is 9.9.1.
class VersionsTest : public testing::Test {
 protected:
  VersionsTest() {
    options_.lib = folder_ / "lib";
    options_.system_redis.clear();
    options_.system_memcached.clear();
    task_ = task_of(model::CacheType::redis, "127.0.0.1", 7000);
    task_.version = "9.9.1";
    pack(folder_ / "archive", {{.name = "redis-9.9.1/bin/redis-server", .text = "#!/bin/sh\necho v=9.9.1\n"}});
    server_.route("GET", "/fs/redis-9.9.1.tar.gz", "", [this](const auto&) -> http::Response {
      ++asked_;
      return {.body = *read_file(folder_ / "archive", 1 << 20)};
    });
    EXPECT_TRUE(server_.start(*net::numeric_address("127.0.0.1", 0)));
    task_.file_server = "http://" + net::to_string(server_.address()) + "/fs";
  }
  ~VersionsTest() override { server_.stop(); }
  std::string find_error() { return error_of_find(Versions(options_).find(task_, kGoOn)); }
  static std::string error_of_find(const Result<Server>& found) { return found ? "none" : found.error().message; }

  TestFolder folder_;
  VersionsOptions options_;
  model::NodeTask task_;
  http::Server server_;
  std::atomic<int> asked_{0};
};

TEST_F(VersionsTest, IsFetchedOnceAndKeptBesideOthers) {
  task_.sha256 = *sha256_of(folder_ / "archive");
  const Versions versions(options_);
  EXPECT_FALSE(versions.present(task_));
  const auto found = versions.find(task_, kGoOn);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->program, folder_ / "lib/redis/9.9.1/bin/redis-server");
  EXPECT_EQ(found->version, (ServerVersion{9, 9, 1}));
  EXPECT_TRUE(versions.present(task_));
  task_.type = model::CacheType::redis_cluster;
  ASSERT_TRUE(versions.find(task_, kGoOn)) << "the same server";
  EXPECT_EQ(asked_, 1);
  for (const auto& left : std::filesystem::directory_iterator(folder_ / "lib/redis")) {
    EXPECT_FALSE(left.path().filename().string().starts_with(".fetch")) << left.path();
  }
}

TEST_F(VersionsTest, ManyAtOnceFetchOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { good += Versions(options_).find(task_, kGoOn).has_value() ? 1 : 0; });
  }
  for (auto& each : threads) each.join();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(asked_, 1);
}

TEST_F(VersionsTest, AnotherDigestIsRefusedAndNothingStays) {
  task_.sha256 = std::string(64, '0');
  EXPECT_THAT(find_error(), HasSubstr("has the SHA-256 " + *sha256_of(folder_ / "archive") + ", expected was 0000"));
  EXPECT_FALSE(Versions(options_).present(task_));
}

TEST_F(VersionsTest, ErrorsSayWhereWasLooked) {
  task_.version = "9.9.2";
  EXPECT_THAT(find_error(), HasSubstr("redis 9.9.2: there is no " + (folder_ / "lib/redis/9.9.2/bin/redis-server")));
  EXPECT_THAT(find_error(), HasSubstr("/fs/redis-9.9.2.tar.gz: HTTP status 404"));
  task_.file_server.clear();
  EXPECT_THAT(find_error(), HasSubstr("no file server is set"));
  options_.most_bytes = 10;
  task_.version = "9.9.1";
  task_.file_server = "http://" + net::to_string(server_.address()) + "/fs";
  EXPECT_THAT(find_error(), HasSubstr("more than 10 bytes"));
}

TEST_F(VersionsTest, AnArchiveWithoutAServerIsRefused) {
  pack(folder_ / "archive", {{.name = "redis-9.9.1/README", .text = "hello"}});
  EXPECT_THAT(find_error(), HasSubstr("holds no bin/redis-server"));
}

TEST_F(VersionsTest, TheSystemsServerIsTakenWhenItIsOfThatVersion) {
  options_.system_redis = "/usr/bin/redis-server";
  options_.system_memcached = "/usr/bin/memcached";
  task_.version = "7.0";
  const auto redis = Versions(options_).find(task_, kGoOn);
  ASSERT_TRUE(redis) << redis.error().message;
  EXPECT_EQ(redis->program, "/usr/bin/redis-server");
  EXPECT_TRUE(redis->text.starts_with("7.0."));
  task_.type = model::CacheType::memcache;
  task_.version = "1.6";
  const auto memcached = Versions(options_).find(task_, kGoOn);
  ASSERT_TRUE(memcached) << memcached.error().message;
  EXPECT_TRUE(memcached->text.starts_with("1.6."));
  EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace overlord::executor
