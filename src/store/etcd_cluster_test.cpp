// etcd with three members, some of which die or hang under load; and etcd behind TLS and a login.
#include <atomic>
#include <map>
#include <thread>

#include "store/conformance_fixture.h"
#include "store/open.h"

namespace overlord::store {
namespace {

using namespace std::chrono_literals;

// Writes as fast as answers come, each time a new key, and knows what became of each.
class Load {
 public:
  Load(const std::vector<std::string>& members, int writers) {
    for (int w = 0; w < writers; ++w) {
      auto store = open_etcd({.members = members, .timeout = 1s});
      threads_.emplace_back([this, w, own = std::shared_ptr<Store>(std::move(*store))] { work(w, *own); });
    }
  }
  ~Load() { finish(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void finish() {
    stopped_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  size_t acknowledged() const { return count_; }
  std::map<std::string, Revision> acknowledged_keys;
  std::map<std::string, std::string> uncertain_keys;  // with why

 private:
  void work(int writer, Store& store) {
    for (int i = 0; !stopped_; ++i) {
      const std::string key = "/load/" + std::to_string(writer) + "/" + std::to_string(100000 + i);
      const auto made = store.commit({{absent(key)}, {put(key, std::to_string(i))}});
      const std::scoped_lock lock(mutex_);
      if (made) {
        acknowledged_keys[key] = *made;
        ++count_;
      } else if (made.error().trouble == Trouble::uncertain) {
        uncertain_keys[key] = made.error().message;
      } else {
        // A conflict would be a change that was sent twice.
        EXPECT_EQ(made.error().trouble, Trouble::unavailable) << made.error().message;
      }
    }
  }

  std::mutex mutex_;
  std::atomic<bool> stopped_{false};
  std::atomic<size_t> count_{0};
  std::vector<std::thread> threads_;
};

TEST(EtcdCluster, LosesNothingWhileLeadersDieAndHang) {
  Etcd etcd(3);
  // The watch begins at the member that will die.
  const size_t killed = etcd.leader();
  std::vector<std::string> members = etcd.members();
  std::swap(members[0], members[killed]);
  const auto opened = open_etcd({.members = members, .timeout = 1s, .silence = 500ms});
  ASSERT_TRUE(opened);
  const auto watch = (*opened)->watch("/load/", 1);
  ASSERT_TRUE(watch);
  Load load(etcd.members(), 3);
  const auto goes_on = [&] {
    const size_t before = load.acknowledged();
    EXPECT_TRUE(eventually([&] { return load.acknowledged() > before + 20; }));
  };
  std::atomic<bool> over{false};
  std::map<std::string, Revision> seen;
  std::thread watcher([&] {
    Revision last = 0;
    for (bool done = false; !done;) {
      done = over;  // what is there then is there in the next batches
      for (;;) {
        const auto batch = (*watch)->next(done ? 3000ms : 200ms);
        if (!batch) {
          ASSERT_EQ(batch.error().trouble, Trouble::unavailable) << batch.error().message;
          continue;
        }
        for (const Event& event : batch->events) {
          EXPECT_TRUE(seen.emplace(event.record.key, event.record.modified).second) << event.record.key << " twice";
          EXPECT_GT(event.record.modified, last);
          last = event.record.modified;
        }
        if (batch->events.empty()) break;
      }
    }
  });
  goes_on();
  etcd.kill(killed);
  goes_on();
  etcd.start(killed);
  const size_t hung = etcd.leader();
  etcd.signal(hung, SIGSTOP);
  goes_on();
  etcd.signal(hung, SIGCONT);
  goes_on();
  load.finish();

  const auto there = list_all(**opened, "/load/");
  ASSERT_TRUE(there) << there.error().message;
  over = true;
  watcher.join();
  std::map<std::string, Revision> stored;
  for (const Record& record : there->records) stored[record.key] = record.modified;
  for (const auto& [key, revision] : load.acknowledged_keys) {
    EXPECT_TRUE(stored.contains(key) && stored[key] == revision) << key << " was acknowledged";
  }
  size_t made_after_all = 0;
  for (const auto& [key, why] : load.uncertain_keys) made_after_all += stored.contains(key);
  EXPECT_EQ(stored.size(), load.acknowledged_keys.size() + made_after_all);
  EXPECT_EQ(seen, stored);
}

TEST(EtcdCluster, AHungMemberIsLeftAndWithoutAMajorityItIsUnavailable) {
  Etcd etcd(3);
  // The one that the watch asks is no leader, and nobody else has to do with it.
  const size_t leads = etcd.leader();
  const size_t hangs = (leads + 1) % 3;
  const size_t works = (leads + 2) % 3;
  const auto watching =
      open_etcd({.members = {etcd.member(hangs), etcd.member(works)}, .timeout = 1s, .silence = 200ms});
  const auto writing = open_etcd({.members = {etcd.member(leads)}});
  const auto watch = (*watching)->watch("/w", 0);
  ASSERT_TRUE(watch) << watch.error().message;
  const auto told = [&](const std::string& value) {
    EXPECT_TRUE((*writing)->commit({{}, {put("/w", value)}}));
    EXPECT_TRUE(eventually([&] {
      const auto batch = (*watch)->next(1000ms);
      EXPECT_TRUE(batch || batch.error().trouble == Trouble::unavailable) << batch.error().message;
      return batch && batch->events.size() == 1 && batch->events[0].record.value == value;
    })) << value;
  };
  told("before");
  etcd.signal(hangs, SIGSTOP);
  told("meanwhile");
  etcd.signal(hangs, SIGCONT);
  const auto opened = open_etcd({.members = etcd.members(), .timeout = 300ms, .patience = 300ms});
  ASSERT_TRUE(opened);
  Store& store = **opened;
  ASSERT_TRUE(store.commit({{}, {put("/a", "1")}}));
  etcd.signal(0, SIGSTOP);
  etcd.signal(1, SIGSTOP);
  const auto read = store.get("/a");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().trouble, Trouble::unavailable);
  const auto made = store.commit({{}, {put("/a", "2")}});
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().trouble == Trouble::unavailable || made.error().trouble == Trouble::uncertain)
      << made.error().message;
  etcd.signal(0, SIGCONT);
  etcd.signal(1, SIGCONT);
  EXPECT_TRUE(eventually([&] { return store.get("/a").has_value(); }));
  const auto nobody = open_etcd({.members = {"http://127.0.0.1:1"}, .patience = 1ms});
  EXPECT_EQ((*nobody)->commit({{}, {put("/a", "3")}}).error().trouble, Trouble::unavailable);
}

TEST(EtcdSecure, IsReachedByTlsAndLogin) {
  const std::string folder = testing::TempDir() + "overlord-etcd-tls-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const auto openssl = [&](const std::string& arguments) {
    return std::system(("cd " + folder + " && openssl " + arguments + " >openssl.log 2>&1").c_str());
  };
  for (const std::string name : {"ca", "stranger"}) {
    ASSERT_EQ(openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + name + " -keyout " + name +
                      ".key -out " + name + ".crt -addext subjectAltName=IP:127.0.0.1"),
              0);
  }
  const std::string ca = folder + "/ca.crt";
  Etcd etcd(1, {"--cert-file=" + ca, "--key-file=" + folder + "/ca.key"}, "https");
  const std::string url = "etcds://" + etcd.member(0).substr(std::string("https://").size());
  const OpenOptions as_root{.user = "root", .password = "se\"cret", .tls = {.ca_file = ca}};

  // Before logins are asked for, one that is configured does no harm.
  const auto root = open_store(url, as_root);
  ASSERT_TRUE(root);
  ASSERT_TRUE(eventually([&] { return (*root)->commit({{}, {put("/a", "1")}}).has_value(); }));
  http::ClientOptions client_options;
  client_options.tls.ca_file = ca;
  http::Client client(etcd.member(0), client_options);
  for (const auto& [path, body] :
       std::vector<std::pair<std::string, std::string>>{{"user/add", R"({"name":"root","password":"se\"cret"})"},
                                                        {"role/add", R"({"name":"root"})"},
                                                        {"user/grant", R"({"user":"root","role":"root"})"},
                                                        {"user/add", R"({"name":"guest","password":"g"})"},
                                                        {"enable", "{}"}}) {
    const auto answer = client.ask("POST", "/v3/auth/" + path, body);
    ASSERT_TRUE(answer && answer->status == 200) << path << (answer ? answer->body : answer.error().message);
  }
  // The one that was open logs in by itself now.
  const auto made = (*root)->commit({{}, {put("/a", "2")}});
  ASSERT_TRUE(made) << made.error().message;
  const auto watch = (*root)->watch("/a", *made);
  ASSERT_TRUE(watch);
  EXPECT_TRUE(eventually([&] {
    const auto batch = (*watch)->next(1000ms);
    return batch && batch->events.size() == 1;
  }));
  // A member that starts again knows no login any more.
  etcd.kill(0);
  etcd.start(0);
  EXPECT_TRUE(eventually([&] { return (*root)->commit({{}, {put("/a", "3")}}).has_value(); }));
  EXPECT_TRUE(eventually([&] {
    const auto batch = (*watch)->next(1000ms);
    EXPECT_TRUE(batch || batch.error().trouble == Trouble::unavailable) << batch.error().message;
    return batch && !batch->events.empty();
  }));
  const auto refused = [&](const OpenOptions& options) {
    const auto other = open_store(url, options);
    const auto read = (*other)->get("/a");
    EXPECT_FALSE(read);
    return read ? Error{} : read.error();
  };
  EXPECT_EQ(refused({.tls = {.ca_file = ca}}).trouble, Trouble::refused);
  EXPECT_EQ(refused({.user = "root", .password = "no", .tls = {.ca_file = ca}}).trouble, Trouble::refused);
  EXPECT_EQ(refused({.user = "guest", .password = "g", .tls = {.ca_file = ca}}).trouble, Trouble::refused);
  // A server that the file does not vouch for is not spoken to.
  EtcdOptions stranger{.members = etcd.members(), .user = "root", .password = "se\"cret", .patience = 1ms};
  stranger.tls.ca_file = folder + "/stranger.crt";
  EXPECT_EQ((*open_etcd(stranger))->get("/a").error().trouble, Trouble::unavailable);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace overlord::store
