#include "proxy/proxy.h"

#include <ctime>
#include <utility>

#include "base/log.h"
#include "proxy/ask_workers.h"

namespace overlord::proxy {
namespace {

net::Driver driver_of(config::IoDriver io) {
  if (io == config::IoDriver::epoll) return net::Driver::epoll;
  return io == config::IoDriver::io_uring ? net::Driver::io_uring : net::Driver::automatic;
}

}  // namespace

Proxy::Proxy(config::Configuration configuration, Reloader::Load load)
    : reloader_(std::move(configuration), std::move(load), workers_) {
  shared_.started_at = static_cast<uint64_t>(::time(nullptr));
}

Proxy::~Proxy() {
  stop(0);
  resolver_.stop();
  workers_.clear();
}

Result<void> Proxy::start() {
  if (auto made = make_workers(); !made) return made;
  std::vector<SlowRecorder*> recorders;
  for (auto& worker : workers_) recorders.push_back(&worker->slow_recorder());
  if (auto started = slow_.start(reloader_.running().process->slowlog, std::move(recorders)); !started) return started;
  if (auto started = reloader_.start(); !started) return started;
  for (auto& worker : workers_) worker->start();
  reloader_.watch();
  return {};
}

Result<void> Proxy::make_workers() {
  const unsigned long descriptors = net::raise_fd_limit();
  const config::ProcessSnapshot process = reloader_.running().process;
  const uint32_t count = config::resolved_workers(*process);
  for (uint32_t i = 0; i < count; ++i) {
    auto loop = net::make_loop(driver_of(process->io));
    if (!loop) return std::unexpected(loop.error());
    if (i == 0) log_info("io driver ", (*loop)->driver(), ", at most ", descriptors, " descriptors");
    workers_.push_back(std::make_unique<Worker>(i, std::move(*loop), shared_, resolver_));
    if (taking_over_) workers_.back()->begin_behind_closed_doors();
  }
  for (auto& worker : workers_) {
    for (const auto& tail : always_) worker->follow(tail);
    std::vector<Worker*> peers;
    for (auto& other : workers_) {
      if (other != worker) peers.push_back(other.get());
    }
    worker->set_peers(std::move(peers));
  }
  return {};
}

void Proxy::follow(std::vector<std::string> paths) {
  file_watch_ = std::make_unique<FileWatch>(std::move(paths), [this] { reloader_.reload(); });
}

bool Proxy::pulse() {
  bool all = true;
  for (auto& worker : workers_) all = worker->pulse() && all;
  return all;
}

std::vector<ClusterKeys> Proxy::keys(const std::string& cluster, size_t count, std::chrono::milliseconds limit) {
  const auto question = [cluster, count](Worker& worker) {
    std::vector<ClusterKeys> seen;
    for (const auto& own : worker.clusters()) {
      if (!cluster.empty() && own->config().name != cluster) continue;
      const KeyWatch& keys = own->keys();
      // More than will be shown: what is second here may be first over all workers.
      seen.push_back({own->config().name, keys.hot().top(4 * count, worker.now()), keys.big().top(count)});
    }
    return seen;
  };
  std::map<std::string, ClusterKeys> all;
  for (const auto& seen : ask_workers<std::vector<ClusterKeys>>(workers_, limit, question)) {
    for (const ClusterKeys& part : seen.value_or(std::vector<ClusterKeys>())) {
      ClusterKeys& sum = all[part.cluster];
      sum.hot.insert(sum.hot.end(), part.hot.begin(), part.hot.end());
      sum.big.insert(sum.big.end(), part.big.begin(), part.big.end());
    }
  }
  std::vector<ClusterKeys> out;
  for (auto& [name, keys] : all) {
    out.push_back({name, sketch::merged(std::move(keys.hot), count), sketch::merged(std::move(keys.big), count)});
  }
  return out;
}

std::shared_ptr<Tail> Proxy::begin_tail(TailFilter filter, std::chrono::milliseconds limit) {
  if (tails_.fetch_add(1) >= kMostTails) {
    tails_.fetch_sub(1);
    return nullptr;
  }
  auto tail = std::make_shared<Tail>(std::move(filter), workers_.size());
  // What is sent to a worker that answers after this is shown.
  ask_workers<bool>(workers_, limit, [tail](Worker& worker) {
    worker.follow(tail);
    return true;
  });
  return tail;
}

std::shared_ptr<Tail> Proxy::always_tail(TailFilter filter) {
  const uint32_t workers = config::resolved_workers(*reloader_.running().process);
  return always_.emplace_back(std::make_shared<Tail>(std::move(filter), workers));
}

void Proxy::end_tail(const std::shared_ptr<Tail>& tail) {
  tails_.fetch_sub(1);
  for (auto& worker : workers_) {
    worker->post([tail, own = worker.get()] { own->unfollow(*tail); });
  }
}

Snapshot Proxy::snapshot(std::chrono::milliseconds limit) {
  const auto asked = std::chrono::steady_clock::now();
  auto answers = ask_workers<WorkerSnapshot>(workers_, limit, [asked](Worker& worker) {
    const auto waited = std::chrono::steady_clock::now() - asked;
    WorkerSnapshot part = worker.snapshot();
    part.delay_ns = static_cast<uint64_t>(std::chrono::nanoseconds(waited).count());
    return part;
  });
  Snapshot out;
  out.workers = static_cast<uint32_t>(workers_.size());
  for (uint32_t i = 0; i < out.workers; ++i) {
    if (answers[i].has_value()) {
      out.parts.push_back(std::move(*answers[i]));
    } else {
      out.silent.push_back(i);
    }
  }
  return out;
}

void Proxy::stop(uint64_t grace_ns) {
  file_watch_.reset();
  reloader_.stop();
  for (auto& worker : workers_) worker->ask_stop(grace_ns);
  for (auto& worker : workers_) worker->join();
  slow_.stop();
  reloader_.remove_paths();
}

}  // namespace overlord::proxy
