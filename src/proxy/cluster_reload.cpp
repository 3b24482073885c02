// What a reload does to one cluster in one worker.

#include <algorithm>

#include "proxy/cluster.h"
#include "proxy/duration.h"
#include "proxy/session.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// Sockets that still send what was left for their clients count into the cluster's TLS counters (Session's kLinger).
constexpr uint64_t kLinger = 6 * kSecond;

}  // namespace

void Cluster::set_timeouts() {
  const auto idle = config_->client_idle_timeout.count() > 0 ? config_->client_idle_timeout : process_->read_timeout;
  client_timeouts_ = {nanoseconds(idle), nanoseconds(process_->write_timeout)};
  client_tick_ = 0;
  for (const uint64_t limit : {client_timeouts_.read, client_timeouts_.write}) {
    // A tenth of the limit keeps the error small; never more often than the clock's grain is worth.
    if (limit == 0) continue;
    const uint64_t tick = std::max<uint64_t>(limit / 10, 10'000'000);
    client_tick_ = client_tick_ == 0 ? tick : std::min(client_tick_, tick);
  }
}

void Cluster::look_who_notes() {
  const uint64_t slow = slow_after();
  noted_from_ = turn_.tails.any() ? 0 : slow == UINT64_MAX ? slow : slow + 1;
}

void Cluster::start_learning() {
  if (!config::is_redis(config_->cache_type) || !config_->learn_commands || !learned().claim()) return;
  learner_ = std::make_unique<CommandLearner>(turn_, *pool_, learned(), config_->name);
  learner_->start();
}

void Cluster::commit(const PoolChange* change, const config::ProcessSnapshot& process) {
  const config::ProcessSnapshot earlier = std::exchange(process_, process);
  const bool other_timeouts =
      earlier->read_timeout != process->read_timeout || earlier->write_timeout != process->write_timeout ||
      (change != nullptr && change->config->client_idle_timeout != config_->client_idle_timeout);
  // Sessions point into the users of the earlier configuration until they have been told.
  const config::ClusterSnapshot before = config_;
  if (change != nullptr) {
    config_ = change->config;
    pool_->commit(*change);
    if (change->moves()) pubsub_.look_again();
    keys_.enable(config_->watch_keys);
    look_who_notes();
    if (config_->script_cache_size != before->script_cache_size) {
      all_->scripts.set_max_bytes(config_->script_cache_size);
    }
    if (learner_ != nullptr && !config_->learn_commands) {
      learner_.reset();
      learned().give_up();
    } else if (config_->learn_commands && !before->learn_commands) {
      start_learning();
    }
  }
  if (other_timeouts) set_timeouts();
  if (change == nullptr && !other_timeouts) return;
  for (Session* session = sessions_; session != nullptr;) {
    Session* const next = session->list_next;
    session->reconfigure(before->users, change != nullptr && change->moves());
    session = next;
  }
}

void Cluster::leave() {
  if (leaving()) return;
  left_at_ = std::max<uint64_t>(turn_.now(), 1);
  drain_sessions();
}

bool Cluster::gone() {
  const uint64_t now = turn_.now();
  if (sessions_ != nullptr) {
    if (now - left_at_ < nanoseconds(process_->stop_timeout)) return false;
    while (sessions_ != nullptr) sessions_->cut();
    return false;
  }
  if (empty_at_ == 0) {
    empty_at_ = now;
    all_->left.fetch_add(1);
  }
  return all_->left.load() == all_->parts.size() && now - empty_at_ >= kLinger;
}

}  // namespace overlord::proxy
