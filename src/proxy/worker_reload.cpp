// What a reload does in one worker.

#include <algorithm>

#include "proxy/worker.h"

namespace overlord::proxy {

Cluster* Worker::part_of(const SharedCluster& cluster) const { return cluster.parts[index_].load(); }

void Worker::add_part(const ClusterChange& change, const config::ProcessSnapshot& process) {
  clusters_.push_back(std::make_unique<Cluster>(turn_, shared_, change.cluster, index_, change.begins_as, process,
                                                resolver_, next_backend_));
}

bool Worker::prepare(const ReloadPlan& plan) {
  std::vector<Cluster*> added;
  for (const ClusterChange& change : plan.clusters) {
    if (change.begins_as == nullptr || part_of(*change.cluster) != nullptr) continue;
    add_part(change, plan.process);
    added.push_back(clusters_.back().get());
  }
  // Contexts first: what is opened below needs them.
  for (const Certificates::Contexts& contexts : plan.tls) {
    turn_.tls.of(contexts.cluster)->use(contexts.side, contexts.of_worker[index_]);
  }
  if (!running_) return true;
  for (Cluster* cluster : added) cluster->start();
  bool ready = true;
  for (const ClusterChange& change : plan.clusters) {
    if (change.pool.config == nullptr) continue;
    ready = part_of(*change.cluster)->prepare(change.pool) && ready;
  }
  return ready;
}

void Worker::commit(ReloadPlan& plan) {
  if (stopping_) return;
  use_process(plan.process);
  follow_listeners(plan);
  for (auto& cluster : clusters_) {
    const auto change = std::ranges::find(plan.clusters, cluster->all(), &ClusterChange::cluster);
    if (change == plan.clusters.end()) {
      cluster->commit(nullptr, plan.process);
    } else if (change->pool.config == nullptr) {
      cluster->leave();
    } else {
      cluster->commit(&change->pool, plan.process);
    }
  }
}

void Worker::follow_listeners(ReloadPlan& plan) {
  std::erase_if(listeners_, [&](const auto& listener) {
    const auto wanted = std::ranges::find(plan.listeners, listener->address, &ListenPlan::address);
    if (wanted == plan.listeners.end()) {
      loop_->unlisten(listener->id);
      return true;
    }
    listener->cluster = wanted->cluster;
    listener->tls = wanted->tls;
    return false;
  });
  // Sockets that came from another process may be more than there are workers.
  const size_t stride = peers_.size() + 1;
  for (ListenPlan& wanted : plan.listeners) {
    for (size_t i = index_; i < wanted.sockets.size(); i += stride) {
      if (!wanted.sockets[i].valid()) continue;
      listeners_.push_back(std::make_unique<Listener>(*this, wanted.address));
      Listener& listener = *listeners_.back();
      listener.cluster = wanted.cluster;
      listener.tls = wanted.tls;
      listener.one_socket = wanted.one_socket;
      open(listener, std::move(wanted.sockets[i]));
    }
  }
}

void Worker::bury_gone() {
  std::erase_if(clusters_, [](const auto& cluster) { return cluster->leaving() && cluster->gone(); });
}

}  // namespace overlord::proxy
