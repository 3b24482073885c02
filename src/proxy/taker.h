#pragma once
// Taker: the side of an upgrade that was just started. It gets the listening sockets of the process that runs, starts
// behind closed doors, says that it is ready, opens them when told so and takes the clients that come over, each with what
// its session knew. What it cannot take stays where it is.
//
// When the other process dies before the end, this one simply goes on.

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "handover/channel.h"
#include "handover/messages.h"
#include "proxy/handed_listener.h"
#include "proxy/proxy.h"
#include "proxy/upgrade_status.h"

namespace overlord::proxy {

class Taker {
 public:
  ~Taker();

  // from: the other's upgrade_socket, or a descriptor (handover::Channel::open). Asks for the sockets and waits for them.
  static Result<std::unique_ptr<Taker>> begin(const std::string& from);
  std::vector<HandedListener> take_listeners() { return std::move(listeners_); }
  HandedListener take_admin_socket() { return std::move(admin_); }
  HandedListener take_upgrade_socket() { return std::move(upgrade_); }
  // Of the service manager, which is the same for both.
  const std::string& notify_address() const { return welcome_.notify_address; }
  uint64_t watchdog_ns() const { return welcome_.watchdog_ns; }

  // This process ends instead: the other one is told why.
  void give_up(const std::string& reason);
  // Says that all is ready, waits until the other process lets nobody in any more, opens the doors and takes clients from
  // then on, in a thread. The error: the other one does not want; this process must end.
  Result<void> take_over(Proxy& proxy, UpgradeBoard& board);
  // This process was told to stop; so must be the other one.
  void stop();

 private:
  Taker() = default;
  Result<void> ask();
  Result<void> wait_for_go();
  void run();
  bool handle(handover::Packet packet);  // false: that was the last
  void take_client(const handover::Client& message, net::UniqueFd fd);
  void set_reserved(const std::string& cluster, uint32_t count);
  void finish(const handover::Done& done, bool said);

  handover::Channel channel_;
  handover::Welcome welcome_;
  std::vector<HandedListener> listeners_;
  HandedListener admin_;
  HandedListener upgrade_;
  Proxy* proxy_ = nullptr;
  UpgradeBoard* board_ = nullptr;
  std::map<std::string, uint32_t> reserved_;  // places of the other's clients, by cluster; "" of all
  std::string input_;                         // of the next client
  uint64_t taken_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace overlord::proxy
