#include "proxy/worker.h"

#include <malloc.h>
#include <pthread.h>
#include <time.h>

#include <algorithm>

#include "base/log.h"
#include "proxy/session.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// A worker keeps an accepted connection unless another has this many fewer (and a quarter fewer).
constexpr uint32_t kSkew = 4;
// So many closed connections make it worth while to give their memory back to the system.
constexpr size_t kTrimAfter = 500;
// And so many bytes that the pools gave back to the heap.
constexpr size_t kTrimAfterBytes = 1024 * 1024;
constexpr int kHeapTrims = 4;

}  // namespace

Worker::Worker(uint32_t index, std::unique_ptr<net::Loop> loop, Shared& shared, Resolver& resolver)
    : index_(index), loop_(std::move(loop)), shared_(shared), resolver_(resolver), turn_(*loop_) {
  memory_tick_.set([](void*) {}, this);  // the end of its turn looks
  move_tick_.set([](void* self) { static_cast<Worker*>(self)->move_some(); }, this);
  housekeeping_.set([](void* self) { static_cast<Worker*>(self)->housekeeping(); }, this);
}

Worker::~Worker() {
  join();
  clusters_.clear();
}

void Worker::set_up(ReloadPlan& plan) {
  turn_.timing = plan.process->use_metrics && !plan.process->stat.empty();
  use_process(plan.process);
  prepare(plan);
  follow_listeners(plan);
}

void Worker::post_tls(const std::string& cluster, TlsSide side, net::TlsContextPtr context) {
  loop_->post([this, cluster, side, context = std::move(context)]() mutable {
    turn_.tls.of(cluster)->use(side, std::move(context));
  });
}

void Worker::start() {
  thread_ = std::thread([this] {
    const std::string name = "worker-" + std::to_string(index_);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    turn_.warm_up();
    running_ = true;
    for (auto& cluster : clusters_) cluster->start();
    loop_->timers().arm(housekeeping_, loop_->now(), kSecond);
    loop_->run(*this);
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

uint64_t Worker::accept_delay(const SharedCluster& cluster) {
  const uint64_t ns = shared_.accepts.wait(loop_->now(), process_->max_accepts_per_second);
  if (ns == 0) return 0;
  if (Cluster* const part = part_of(cluster)) part->counters().hit(Limit::max_accepts_per_second);
  return ns;
}

void Worker::take(const std::shared_ptr<SharedCluster>& cluster, net::UniqueFd fd, bool tls) {
  if (stopping_) return;
  shared_.accepts.count(loop_->now(), process_->max_accepts_per_second);
  // The kernel spreads connections by hash; a few long-lived ones can all land here.
  Worker* least = this;
  for (Worker* peer : peers_) {
    if (peer->connections() < least->connections()) least = peer;
  }
  const uint32_t mine = connections();
  if (least != this && mine >= least->connections() + kSkew && mine / 4 * 3 >= least->connections()) {
    least->connections_.fetch_add(1, std::memory_order_relaxed);
    auto handed = std::make_shared<net::UniqueFd>(std::move(fd));
    least->loop_->post([least, cluster, handed, tls] { least->serve(*cluster, std::move(*handed), tls); });
    return;
  }
  connections_.fetch_add(1, std::memory_order_relaxed);
  serve(*cluster, std::move(fd), tls);
}

void Worker::serve(const SharedCluster& cluster, net::UniqueFd fd, bool tls) {
  Cluster* const part = part_of(cluster);
  if (!stopping_ && part != nullptr) part->accept(std::move(fd), tls);
}

void Worker::end_of_turn() {
  if (budget_.limited()) watch_memory();
  turn_.end();
  count_connections();
  if (!stopping_ || loop_finished_) return;
  const bool late = connections() > 0 && loop_->now() >= stop_deadline_;
  if (connections() > 0 && !late) return;
  loop_finished_ = true;
  if (late) tell_unfinished();
  loop_->stop();
}

void Worker::tell_unfinished() {
  for (const auto& cluster : clusters_) {
    size_t requests = 0;
    for (const Session* session = cluster->first_session(); session != nullptr; session = session->list_next) {
      requests += session->requests_in_flight();
    }
    if (cluster->session_count() == 0) continue;
    log_warn("cluster ", cluster->config().name, ": closed ", cluster->session_count(), " clients with ", requests,
             " requests in flight: stop_timeout is over (worker ", index_, ")");
  }
}

bool Worker::pulse() {
  if (pulses_answered_.load(std::memory_order_acquire) != pulses_asked_) return false;
  ++pulses_asked_;
  loop_->post([this, asked = pulses_asked_] { pulses_answered_.store(asked, std::memory_order_release); });
  return true;
}

void Worker::count_connections() {
  if (peers_.empty() && !stopping_) return;
  size_t total = 0;
  for (const auto& cluster : clusters_) total += cluster->session_count();
  connections_.store(static_cast<uint32_t>(total), std::memory_order_relaxed);
}

void Worker::housekeeping() {
  turn_.ask_trim();
  size_t open = 0;
  size_t peak = 0;
  for (auto& cluster : clusters_) {
    open += cluster->session_count();
    peak += cluster->take_peak();
    cluster->housekeeping();
  }
  bury_gone();
  // What a burst leaves behind is small pieces that the allocator keeps unless asked, also after the pools gave them
  // back, which takes them a few rounds.
  most_open_ = std::max(most_open_, peak);
  most_pooled_ = std::max(most_pooled_, turn_.pooled_bytes() + turn_.buffers.take_large_peak());
  if (most_open_ >= open + kTrimAfter || most_pooled_ >= turn_.pooled_bytes() + kTrimAfterBytes) {
    most_open_ = open;
    most_pooled_ = turn_.pooled_bytes();
    heap_trims_left_ = kHeapTrims;
  }
  if (heap_trims_left_ > 0) {
    --heap_trims_left_;
    ::malloc_trim(0);
  }
  if (!stopping_ || loop_->now() < stop_deadline_) {
    loop_->timers().arm(housekeeping_, loop_->now(), stopping_ ? kSecond / 20 : kSecond);
  }
}

void Worker::move_backend(const std::shared_ptr<SharedCluster>& cluster, const std::string& master,
                          const std::string& host, const net::SocketAddress& address) {
  loop_->post([this, cluster, master, host, address] {
    if (Cluster* const part = part_of(*cluster)) part->pool().sentinel_moved(master, host, address);
  });
}

WorkerSnapshot Worker::snapshot() {
  WorkerSnapshot out;
  out.index = index_;
  timespec cpu{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  out.cpu_ns = static_cast<uint64_t>(cpu.tv_sec) * kSecond + static_cast<uint64_t>(cpu.tv_nsec);
  out.turns = loop_->turns();
  out.accept_pauses = loop_->accept_pauses();
  const ChunkPool& chunks = loop_->chunks();
  out.driver = loop_->driver();
  out.chunks = {chunks.in_use() * kChunkSize, chunks.free_count() * kChunkSize};
  out.buffers = {turn_.buffers.used_bytes(), turn_.buffers.free_bytes()};
  out.requests = {turn_.requests.in_use() * sizeof(routing::Request),
                  turn_.requests.free_count() * sizeof(routing::Request)};
  for (auto& cluster : clusters_) out.clusters.push_back(take_snapshot(*cluster));
  return out;
}

void Worker::follow(std::shared_ptr<Tail> tail) {
  turn_.tails.add(std::move(tail));
  for (auto& cluster : clusters_) cluster->look_who_notes();
}

void Worker::unfollow(const Tail& tail) {
  turn_.tails.remove(&tail);
  for (auto& cluster : clusters_) cluster->look_who_notes();
}

Cluster* Worker::find_cluster(std::string_view name) {
  const auto found =
      std::ranges::find_if(clusters_, [&](const auto& each) { return each->name() == name && !each->leaving(); });
  return found == clusters_.end() ? nullptr : found->get();
}

void Worker::ask_stop(uint64_t grace_ns) {
  loop_->post([this, grace_ns] { begin_stop(grace_ns); });
}

void Worker::begin_stop(uint64_t grace_ns) {
  if (stopping_) return;
  stopping_ = true;
  stop_deadline_ = loop_->now() + grace_ns;
  for (auto& listener : listeners_) loop_->unlisten(listener->id);
  for (auto& cluster : clusters_) cluster->drain_sessions();
  loop_->timers().arm(housekeeping_, loop_->now(), kSecond / 20);
}

}  // namespace overlord::proxy
