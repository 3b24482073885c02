#pragma once
// Resolver: looks host names up on a thread of its own, because getaddrinfo blocks.
// ResolvedName: the addresses of one backend in one worker; numeric and unix ones need no look-up.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/address.h"
#include "net/address.h"
#include "net/loop.h"

namespace overlord::proxy {

class Resolver {
 public:
  using Answer = std::function<void(std::vector<net::SocketAddress>)>;  // empty: does not resolve

  Resolver() = default;
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls `answer` on the resolver's thread. The thread starts with the first use.
  void look_up(std::string host, uint16_t port, Answer answer);
  void stop();

 private:
  struct Job {
    std::string host;
    uint16_t port;
    Answer answer;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

// now: the first look-up blocks, as it may before a worker serves. later: the list is empty until the answer is there.
enum class NameLookup : uint8_t { now, later };

class ResolvedName {
 public:
  ResolvedName(Resolver& resolver, net::Loop& loop, const config::Address& address, NameLookup lookup);

  const std::vector<net::SocketAddress>& list() const { return *addresses_; }
  // What somebody else has found out. On the loop's thread.
  void set(const net::SocketAddress& address) { addresses_->assign(1, address); }
  // Asks again; the list changes in a later turn of the loop. One question at a time.
  void refresh();

 private:
  Resolver& resolver_;
  net::Loop& loop_;
  const config::Address address_;
  bool is_name_ = false;
  std::shared_ptr<bool> asking_ = std::make_shared<bool>(false);
  std::shared_ptr<std::vector<net::SocketAddress>> addresses_ = std::make_shared<std::vector<net::SocketAddress>>();
};

}  // namespace overlord::proxy
