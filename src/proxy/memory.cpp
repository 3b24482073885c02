// What happens when a worker's share of max_memory is used up (memory_budget.h decides).

#include <algorithm>

#include "base/log.h"
#include "proxy/cluster.h"
#include "proxy/session.h"
#include "proxy/worker.h"

namespace overlord::proxy {
namespace {

// While memory is short somebody has to look, also when nothing else happens.
constexpr uint64_t kTick = 20'000'000;
// Who holds less is not what memory is short of.
constexpr size_t kLeastHeld = 64 * 1024;
// A worker's share is at least this: a few requests of a few clients.
constexpr uint64_t kLeast = 4 << 20;

}  // namespace

void Worker::use_process(const config::ProcessSnapshot& process) {
  const uint64_t before = process_ == nullptr ? 0 : process_->max_memory;
  process_ = process;
  if (process->max_memory == before) return;
  turn_.memory_short = false;
  for (auto& cluster : clusters_) cluster->read_on();
  budget_ = MemoryBudget(process->max_memory == 0 ? 0 : std::max(kLeast, process->max_memory / (peers_.size() + 1)));
}

void Worker::watch_memory() {
  switch (budget_.look(turn_.bytes_in_use(), loop_->now())) {
    case MemoryBudget::Action::none: break;
    case MemoryBudget::Action::close: close_largest(); break;
    case MemoryBudget::Action::pause: {
      turn_.memory_short = true;
      static LogEvery every(std::chrono::seconds(1));
      if (auto turn = every.next()) {
        log_warn("worker ", index_, ": its share of max_memory is used up, ", turn_.bytes_in_use(),
                 " bytes; clients are not read from", turn.suffix());
      }
      break;
    }
    case MemoryBudget::Action::resume:
      turn_.memory_short = false;
      for (auto& cluster : clusters_) cluster->read_on();
      break;
  }
  if (budget_.is_short() && !memory_tick_.armed()) loop_->timers().arm(memory_tick_, loop_->now(), kTick);
}

void Worker::close_largest() {
  size_t most = kLeastHeld;
  Session* largest = nullptr;
  Cluster* of = nullptr;
  for (auto& cluster : clusters_) {
    Session* found = cluster->largest_client(most);
    if (found == nullptr) continue;
    largest = found;
    of = cluster.get();
  }
  if (largest != nullptr) of->close_for_memory(*largest);
}

Session* Cluster::largest_client(size_t& least) {
  Session* largest = nullptr;
  for (Session* session = sessions_; session != nullptr; session = session->list_next) {
    if (session->held_bytes() <= least) continue;
    least = session->held_bytes();
    largest = session;
  }
  return largest;
}

void Cluster::close_for_memory(Session& session) {
  counters_.hit(Limit::max_memory);
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", config_->name, ": closed client ", session.id(), ", for which ", session.held_bytes(),
             " bytes were held: max_memory is used up", turn.suffix());
  }
  session.cut();
}

void Cluster::read_on() {
  for (Session* session = sessions_; session != nullptr; session = session->list_next) {
    if (session->held_back()) turn_.sessions.add(*session);
  }
}

}  // namespace overlord::proxy
