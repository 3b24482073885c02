#pragma once
// SentinelWatch: follows the masters of one cluster through its Sentinels, on a thread of its own.
//
// It asks one Sentinel for the address of every master, once a second, and listens to its +switch-master messages; when
// that Sentinel is silent for a second, or does not know a master, it goes on with the next. What it learns goes to
// `moved`, called on the watching thread, when it differs from what was told before.
// Source: https://redis.io/docs, "Sentinel client spec".

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/config.h"
#include "net/address.h"
#include "net/socket.h"

namespace overlord::proxy {

class SentinelConnection;

class SentinelWatch {
 public:
  // master: by the name that Sentinels have for it; host: as the Sentinel tells it.
  using Moved =
      std::function<void(const std::string& master, const std::string& host, const net::SocketAddress& address)>;

  SentinelWatch(config::ClusterSnapshot cluster, Moved moved);
  ~SentinelWatch();
  SentinelWatch(const SentinelWatch&) = delete;
  SentinelWatch& operator=(const SentinelWatch&) = delete;

  void start();

 private:
  using Connection = std::unique_ptr<SentinelConnection>;

  void run();
  Connection open(const config::Address& sentinel);
  // Until it fails or we stop; whether it knew every master at least once.
  bool follow(const config::Address& sentinel);
  bool ask_all(SentinelConnection& asker);
  bool take_messages(SentinelConnection& listener);
  void tell(size_t server, std::string_view host, std::string_view port);
  bool stopping(int timeout_ms, int fd, bool& readable);

  const config::ClusterSnapshot cluster_;
  Moved moved_;
  struct Place {
    std::string host;  // as told
    net::SocketAddress address;
  };
  std::vector<Place> known_;  // by server; length 0: none yet
  net::UniqueFd stop_;        // an eventfd
  std::thread thread_;
};

}  // namespace overlord::proxy
