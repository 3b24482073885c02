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
#include "proxy/snapshot.h"
#include "proxy/turn.h"

namespace overlord::proxy {

class Worker final : public net::TurnHandler {
 public:
  Worker(uint32_t index, std::unique_ptr<net::Loop> loop, Shared& shared, Resolver& resolver);
  ~Worker() override;

  // Where this worker hands accepted connections when it has more than its share. Before start().
  void set_peers(std::vector<Worker*> peers) { peers_ = std::move(peers); }
  // cluster: index into the file. Before start().
  void listen(size_t cluster, net::UniqueFd fd, bool exclusive, bool tls);
  // From now on new connections use this context. Before start(); the other one from any thread.
  void use_tls(const config::ClusterConfig& cluster, TlsSide side, net::TlsContextPtr context) {
    turn_.tls.of(cluster).use(side, std::move(context));
  }
  void post_tls(const config::ClusterConfig& cluster, TlsSide side, net::TlsContextPtr context);
  void start();

  // Any thread. Backend number `server` of the cluster is at this address now.
  void move_backend(size_t cluster, size_t server, const std::string& host, const net::SocketAddress& address);
  // Any thread. Closes listeners, lets what is in flight finish until the deadline, then ends the thread.
  void ask_stop(uint64_t grace_ns);
  void join();

  // Any one thread. Whether the loop has turned since this was last called; asks it to turn again.
  bool pulse();
  // Runs fn on the worker's thread. Any thread.
  void post(std::function<void()> fn) { loop_->post(std::move(fn)); }
  // On the worker's thread; delay_ns is the caller's to fill.
  WorkerSnapshot snapshot();
  // Likewise; null: there is none of that name.
  Cluster* find_cluster(std::string_view name);
  const std::vector<std::unique_ptr<Cluster>>& clusters() const { return clusters_; }

  uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }

  void end_of_turn() override;
  bool hurry() const override { return turn_.hurry(); }

 private:
  // One listening socket of one cluster.
  class Listener final : public net::AcceptHandler {
   public:
    Listener(Worker& worker, size_t cluster, bool tls) : worker_(worker), cluster_(cluster), tls_(tls) {}
    void on_accept(net::UniqueFd fd) override { worker_.take(cluster_, std::move(fd), tls_); }
    net::ListenerId id;

   private:
    Worker& worker_;
    size_t cluster_;
    bool tls_;
  };

  void take(size_t cluster, net::UniqueFd fd, bool tls);
  void serve(size_t cluster, net::UniqueFd fd, bool tls);
  void count_connections();
  void tell_unfinished();
  void begin_stop(uint64_t grace_ns);
  void housekeeping();

  const uint32_t index_;
  std::unique_ptr<net::Loop> loop_;
  Turn turn_;
  int32_t next_backend_ = 0;  // id; pools may make backends at any time
  std::vector<std::unique_ptr<Cluster>> clusters_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Worker*> peers_;
  std::atomic<uint32_t> connections_{0};
  uint32_t pulses_asked_ = 0;  // of the thread that calls pulse()
  std::atomic<uint32_t> pulses_answered_{0};
  bool stopping_ = false;
  bool loop_finished_ = false;
  uint64_t stop_deadline_ = 0;
  // Since memory was last given back to the system.
  size_t most_open_ = 0;    // sessions
  size_t most_pooled_ = 0;  // bytes in the pools
  int heap_trims_left_ = 0;
  net::Timer housekeeping_;
  std::thread thread_;
};

}  // namespace overlord::proxy
