#pragma once
// Worker: one thread with its loop and its share of every cluster. Workers share nothing but Shared.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "net/loop.h"
#include "proxy/cluster.h"
#include "proxy/handed_listener.h"
#include "proxy/memory_budget.h"
#include "proxy/reload_plan.h"
#include "proxy/session.h"
#include "proxy/snapshot.h"
#include "proxy/turn.h"

namespace overlord::proxy {

class Worker final : public net::TurnHandler {
 public:
  Worker(uint32_t index, std::unique_ptr<net::Loop> loop, Shared& shared, Resolver& resolver);
  ~Worker() override;

  // Where this worker hands accepted connections when it has more than its share. Before start().
  void set_peers(std::vector<Worker*> peers) { peers_ = std::move(peers); }
  // Carries out the plan in which everything is new. Before start().
  void set_up(ReloadPlan& plan);
  void start();

  // Any thread. From now on new connections use this context.
  void post_tls(const std::string& cluster, TlsSide side, net::TlsContextPtr context);
  // Any thread. That master of the cluster is at this address now.
  void move_backend(const std::shared_ptr<SharedCluster>& cluster, const std::string& master, const std::string& host,
                    const net::SocketAddress& address);
  // Any thread. Closes listeners, lets what is in flight finish until the deadline, then ends the thread.
  void ask_stop(uint64_t grace_ns);
  void join();

  // Any one thread. Whether the loop has turned since this was last called; asks it to turn again.
  bool pulse();
  // Runs fn on the worker's thread. Any thread.
  void post(std::function<void()> fn) { loop_->post(std::move(fn)); }
  SlowRecorder& slow_recorder() { return turn_.slow; }
  // On the worker's thread; delay_ns is the caller's to fill.
  WorkerSnapshot snapshot();
  uint64_t now() const { return turn_.now(); }
  // Likewise: from now on, or no longer, it is shown what is answered.
  void follow(std::shared_ptr<Tail> tail);
  void unfollow(const Tail& tail);
  // Likewise; null: there is none of that name.
  Cluster* find_cluster(std::string_view name);
  const std::vector<std::unique_ptr<Cluster>>& clusters() const { return clusters_; }
  // A reload, on the worker's thread. prepare() makes what is new and lets it connect; called again until it returns
  // true, or no longer. commit() puts the new configuration in force.
  bool prepare(const ReloadPlan& plan);
  void commit(ReloadPlan& plan);

  // worker_move.cpp, on the worker's thread but for the first, which is called before start(): the doors are closed, and
  // open for good when told so. Closed ones take no clients; who connects waits in the kernel's backlog.
  void begin_behind_closed_doors() { doors_open_ = false; }
  void close_doors();
  void open_doors();
  std::vector<HandedListener> listening() const;
  // Gives every client to `take` that can go on elsewhere, as soon as it can; until stop_moving().
  using TakeClient = std::function<void(MovingClient)>;
  void begin_moving(TakeClient take);
  void stop_moving();
  // Those that are left answer what they have in flight and close.
  void drain_clients();
  // Any thread: a client from elsewhere, which is counted already.
  void adopt(const std::shared_ptr<SharedCluster>& cluster, MovingClient client);

  uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }

  void end_of_turn() override;
  bool hurry() const override { return turn_.hurry(); }

 private:
  // One listening socket of one cluster.
  class Listener final : public net::AcceptHandler {
   public:
    Listener(Worker& worker, std::string where) : address(std::move(where)), worker_(worker) {}
    uint64_t accept_delay() override { return worker_.accept_delay(*cluster); }
    void on_accept(net::UniqueFd fd) override { worker_.take(cluster, std::move(fd), tls); }

    const std::string address;
    std::shared_ptr<SharedCluster> cluster;
    bool tls = false;
    bool one_socket = false;
    net::ListenerId id;
    int number = -1;       // descriptor of what the loop has
    net::UniqueFd closed;  // the socket while the doors are

   private:
    Worker& worker_;
  };

  Cluster* part_of(const SharedCluster& cluster) const;
  void add_part(const ClusterChange& change, const config::ProcessSnapshot& process);
  void follow_listeners(ReloadPlan& plan);
  void bury_gone();
  void take(const std::shared_ptr<SharedCluster>& cluster, net::UniqueFd fd, bool tls);
  uint64_t accept_delay(const SharedCluster& cluster);
  void use_process(const config::ProcessSnapshot& process);
  void watch_memory();  // memory.cpp
  void close_largest();
  void serve(const SharedCluster& cluster, net::UniqueFd fd, bool tls);
  void count_connections();
  void tell_unfinished();
  void begin_stop(uint64_t grace_ns);
  void open(Listener& listener, net::UniqueFd socket);
  void move_some();
  void housekeeping();

  const uint32_t index_;
  std::unique_ptr<net::Loop> loop_;
  Shared& shared_;
  Resolver& resolver_;
  config::ProcessSnapshot process_;
  Turn turn_;
  int32_t next_backend_ = 0;  // id; pools may make backends at any time
  std::vector<std::unique_ptr<Cluster>> clusters_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Worker*> peers_;
  std::atomic<uint32_t> connections_{0};
  uint32_t pulses_asked_ = 0;  // of the thread that calls pulse()
  std::atomic<uint32_t> pulses_answered_{0};
  bool running_ = false;
  bool stopping_ = false;
  bool doors_open_ = true;
  bool loop_finished_ = false;
  uint64_t stop_deadline_ = 0;
  // Since memory was last given back to the system.
  size_t most_open_ = 0;    // sessions
  size_t most_pooled_ = 0;  // bytes in the pools
  int heap_trims_left_ = 0;
  net::Timer housekeeping_;
  TakeClient take_client_;
  net::Timer move_tick_;  // while clients move
  MemoryBudget budget_;
  net::Timer memory_tick_;  // while memory is short
  std::thread thread_;
};

}  // namespace overlord::proxy
