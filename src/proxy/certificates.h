#pragma once
// Certificates: the TLS files of all clusters. Reads them at start, and again when they have changed: a thread looks
// at them once a second (by stat, which also sees through links that are switched), waits until they rest, makes a
// context for each worker, and posts it there. Files that cannot be used are reported and the old ones stay in use.
// After half a day the contexts are made anew in any case, because the keys of session tickets should not live long.

#include <array>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "net/tls.h"
#include "proxy/cluster_tls.h"

namespace overlord::proxy {

class Worker;

class Certificates {
 public:
  using Clusters = std::vector<config::ClusterSnapshot>;
  // Contexts for one side of one cluster, one for each worker.
  struct Contexts {
    std::string cluster;
    TlsSide side;
    std::vector<net::TlsContextPtr> of_worker;
  };

  explicit Certificates(const std::vector<std::unique_ptr<Worker>>& workers) : workers_(workers) {}
  ~Certificates() { stop(); }

  // Reads the files of all clusters that differ from those in use: new ones, and those with other settings. The error
  // says which key of which cluster is wrong and why; then nothing has changed.
  Result<std::vector<Contexts>> read(const Clusters& clusters);
  // What was read last is in use from now on.
  void adopt();
  // Looks for changes while there is something to look at; stopped again by stop().
  void watch();
  // Looks at once, and does not wait for files to rest. Any thread.
  void look_now();
  // Before the workers end.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  // What tells one state of a file from the next.
  struct Stamp {
    timespec changed{};
    off_t size = -1;
    ino_t inode = 0;
    bool operator==(const Stamp& other) const;
  };
  using Stamps = std::array<Stamp, 3>;
  struct Watched {
    std::string cluster;  // its name
    TlsSide side;
    net::TlsSettings settings;
    Stamps tried{};   // what was last read
    Stamps before{};  // what the last look saw
    Clock::time_point made_at{};
  };

  static Stamps look(const net::TlsSettings& settings);
  void work();
  void check(Watched& watched, bool at_once);
  // Reads the files and makes a context for every worker, or for none.
  Result<std::vector<net::TlsContextPtr>> renew(Watched& watched) const;

  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::mutex looking_;  // while files are looked at: guards the two lists
  std::vector<Watched> watched_;
  std::vector<Watched> next_;  // between read() and adopt()
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool look_now_ = false;
  std::thread thread_;
};

}  // namespace overlord::proxy
