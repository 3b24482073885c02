#pragma once
// Upgrade: how this process gives way to another one. A new process is started here (start()), or comes by itself to the
// socket that `upgrade_socket` names; one at a time. See giver.h and taker.h for what the two then do.

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/giver.h"
#include "proxy/upgrade_status.h"

namespace overlord::proxy {

class Upgrade {
 public:
  // arguments: what this process was started with, without its name. The hooks for the upgrade socket are made here.
  Upgrade(Proxy& proxy, const std::vector<std::string>& arguments, UpgradeHooks hooks);
  ~Upgrade() { stop(); }

  // handed: the socket of the process before; its fd invalid: there was none.
  Result<void> listen(const std::string& path, HandedListener handed);
  // Starts `binary` with this process's arguments and gives way to it; empty: what this process was started from, which
  // may be a newer file by now. How it goes: board().
  Result<void> start(const std::string& binary);
  // Nothing is under way when this returns.
  void stop();
  UpgradeBoard& board() { return board_; }
  // Everything is with the other process; this one is to end.
  bool handed_over() const {
    const UpgradeStatus status = board_.get();
    return status.state == UpgradeStatus::State::done && status.new_pid != ::getpid();
  }

 private:
  void accept_takers();
  Result<void> give(handover::Channel channel, pid_t child);
  HandedListener socket_to_hand() const;

  Proxy& proxy_;
  const std::vector<std::string> arguments_;
  UpgradeHooks hooks_;
  UpgradeBoard board_;
  std::mutex mutex_;
  std::unique_ptr<Giver> giver_;
  std::string path_;
  net::UniqueFd listener_;
  net::UniqueFd wake_;
  std::atomic<bool> doors_open_{true};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace overlord::proxy
