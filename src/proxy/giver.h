#pragma once
// Giver: the side of an upgrade that runs. It hands its listening sockets to the process that was started, and when that is
// ready, closes its doors and sends its clients over one by one, each as soon as nothing of it is in flight. What cannot
// move it serves until it can, until it is idle, or until stop_timeout is over.
//
// Nothing is given up before the other process has said that it has it: should that fail, at whatever moment, the doors
// open again and the clients that were under way go on here.

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "handover/channel.h"
#include "handover/messages.h"
#include "proxy/proxy.h"
#include "proxy/upgrade_status.h"

namespace overlord::proxy {

// What of the process takes part beside its proxy. Called on the giver's thread.
struct UpgradeHooks {
  std::function<HandedListener()> admin_socket;  // fd invalid: none
  std::function<void(bool)> let_admins_in;
  std::function<HandedListener()> upgrade_socket;
  std::function<void(bool)> let_takers_in;
  std::string notify_address = {};  // of the service manager; empty: none
  uint64_t watchdog_ns = 0;
  std::function<void(pid_t)> tell_main_pid;  // the manager, whose word counts from now on
  std::function<void()> handed_over;         // this process is to end
};

class Giver {
 public:
  // child: the process that was spawned for it; 0: it came by itself.
  Giver(Proxy& proxy, UpgradeBoard& board, const UpgradeHooks& hooks, handover::Channel channel, pid_t child);
  ~Giver();

 private:
  void run();
  Result<void> give();
  Result<void> introduce();
  Result<void> send_sockets();
  Result<void> wait_until_ready();
  Result<void> send(const std::string& message, int fd = -1);
  Result<std::string> receive(std::chrono::milliseconds limit);  // in short rounds, so that stop is noticed
  void say_go();
  bool move_clients();  // false: the other process has gone
  void take_back();
  void tell_remaining();
  void pack_arrived();
  bool send_packed();
  bool hear();
  void hear_of_client(uint64_t number, bool taken, const std::string& reason);
  std::string end_of_child();

  Proxy& proxy_;
  UpgradeBoard& board_;
  const UpgradeHooks& hooks_;
  handover::Channel channel_;
  pid_t child_;
  handover::Hello hello_;
  std::vector<std::string> clusters_;
  std::map<std::string, uint32_t> told_;  // remaining clients, as the other process knows
  uint32_t first_count_ = 0;
  uint64_t moved_ = 0;

  struct Outgoing {
    std::string bytes;
    uint64_t client;  // whose descriptor goes along; 0: none
  };
  // Shared with the workers: one that turns late may still put a client there when nobody looks any more.
  struct Arrivals {
    net::UniqueFd wake;
    std::mutex mutex;
    std::vector<MovingClient> clients;  // guarded

    void add(MovingClient client);
  };
  const std::shared_ptr<Arrivals> arrivals_ = std::make_shared<Arrivals>();
  std::map<uint64_t, MovingClient> under_way_;  // by number; not heard of
  std::map<std::string, uint32_t> sent_;  // of these, by cluster, how many the other process has counted as its own
  std::deque<Outgoing> out_;
  uint64_t next_number_ = 1;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace overlord::proxy
