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
#include "net/tls.h"
#include "proxy/cluster_tls.h"

namespace overlord::proxy {

class Worker;

class Certificates {
 public:
  Certificates(const config::ClusterFile& file, const std::vector<std::unique_ptr<Worker>>& workers);
  ~Certificates() { stop(); }

  // Before the workers start. The error says which key of which cluster is wrong and why.
  Result<void> load();
  // Begins to look for changes; nothing to do where there is no TLS.
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
    const config::ClusterConfig* cluster;
    TlsSide side;
    const net::TlsSettings* settings;
    Stamps tried{};   // what was last read
    Stamps before{};  // what the last look saw
    Clock::time_point made_at{};
  };

  static Stamps look(const net::TlsSettings& settings);
  void work();
  void check(Watched& watched, bool at_once);
  // Reads the files and gives a context to every worker, or to none.
  Result<void> renew(Watched& watched, bool running);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::vector<Watched> watched_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool look_now_ = false;
  std::thread thread_;
};

}  // namespace overlord::proxy
