#include "proxy/ring_builder.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "base/background.h"

namespace overlord::proxy {

std::shared_ptr<const hashing::Ring> ring_over(const config::ClusterConfig& cluster,
                                               const std::vector<uint32_t>& servers) {
  std::vector<hashing::RingNode> nodes;
  nodes.reserve(servers.size());
  for (const uint32_t i : servers) nodes.push_back({cluster.servers[i].ring_name, cluster.servers[i].weight});
  return std::make_shared<const hashing::Ring>(nodes, cluster.distribution, cluster.hash_compat);
}

RingBuilder::RingBuilder(net::Loop& loop, Built built)
    : loop_(loop), built_(std::move(built)), self_(std::make_shared<RingBuilder*>(this)) {}

RingBuilder::~RingBuilder() {
  *self_ = nullptr;
  for (std::thread* thread : {&thread_, &ended_}) {
    if (thread->joinable()) thread->join();
  }
}

void RingBuilder::want(config::ClusterSnapshot cluster, std::vector<uint32_t> servers) {
  PartRing job{.cluster = std::move(cluster), .servers = std::move(servers), .ring = nullptr};
  if (!busy_) return start(std::move(job));
  next_ = std::move(job);
  waiting_ = true;
}

void RingBuilder::forget() {
  ++age_;
  waiting_ = false;
  next_ = {};
}

void RingBuilder::start(PartRing job) {
  busy_ = true;
  // The thread whose message has just come may take its time to end, since it gives way.
  if (ended_.joinable()) ended_.join();
  ended_ = std::move(thread_);
  const auto build = [](net::Loop& loop, const std::shared_ptr<RingBuilder*>& self, PartRing& part, uint64_t age) {
    part.ring = ring_over(*part.cluster, part.servers);
    loop.post([self, part = std::move(part), age]() mutable {
      if (*self != nullptr) (*self)->on_built(std::move(part), age);
    });
  };
  try {
    thread_ = std::thread([build, &loop = loop_, self = self_, part = job, age = age_]() mutable {
      ::pthread_setname_np(::pthread_self(), "ring");
      give_way();
      build(loop, self, part, age);
    });
  } catch (const std::system_error&) {
    build(loop_, self_, job, age_);  // no thread to be had: the clients wait a little
  }
}

void RingBuilder::on_built(PartRing ring, uint64_t age) {
  busy_ = false;
  if (waiting_) {
    waiting_ = false;
    start(std::exchange(next_, {}));
  }
  if (age == age_) built_(std::move(ring));
}

}  // namespace overlord::proxy
