#include "proxy/topology_refresher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kPeriod = 10'000 * kMillisecond;
// Where replicas are read from, what they lag behind is of interest.
constexpr uint64_t kReplicaPeriod = 1'000 * kMillisecond;
constexpr uint64_t kFirstGap = 50 * kMillisecond;
constexpr uint64_t kLastGap = 400 * kMillisecond;
// A node that has not answered by then is given up for this time, whatever read_timeout says.
constexpr uint64_t kPatience = 1'000 * kMillisecond;

}  // namespace

TopologyRefresher::TopologyRefresher(Turn& turn, config::ClusterSnapshot cluster, SlotNodes& nodes)
    : turn_(turn), cluster_(std::move(cluster)), nodes_(nodes), gap_(kFirstGap) {
  timer_.set([](void* self) { static_cast<TopologyRefresher*>(self)->work(); }, this);
}

TopologyRefresher::~TopologyRefresher() { let_go(); }

uint64_t TopologyRefresher::around(uint64_t delay) { return delay / 2 + random_() % (delay + 1); }

void TopologyRefresher::ask() {
  if (wanted_) return;
  wanted_ = true;
  if (request_ != nullptr) return;  // the next question follows the present one
  const uint64_t now = turn_.now();
  arm(next_allowed_ > now ? next_allowed_ - now : 0);
}

void TopologyRefresher::use(config::ClusterSnapshot cluster, bool new_seeds) {
  cluster_ = std::move(cluster);
  if (!new_seeds) return;
  let_go();
  timer_.cancel();
  round_open_ = wanted_ = false;
  gap_ = kFirstGap;
  next_allowed_ = 0;
  ask();
}

void TopologyRefresher::work() {
  if (answered_) return read_answer();
  if (request_ != nullptr) let_go();  // it took too long
  ask_next();
}

void TopologyRefresher::let_go() {
  answered_ = false;
  if (request_ != nullptr) turn_.requests.release_owner(*std::exchange(request_, nullptr));
}

// False when the round is over.
bool TopologyRefresher::next_node(SlotNode*& node) {
  if (!std::exchange(round_open_, true)) {
    round_.clear();
    bool reachable = false;
    const auto believed = [this](const Backend& backend) { return !nodes_.find(backend)->doubtful; };
    for (const auto& backend : nodes_.backends()) reachable = reachable || (!backend->failing() && believed(*backend));
    if (!reachable) nodes_.add_seeds();
    for (const auto& backend : nodes_.backends()) {
      if ((!reachable || !backend->failing()) && believed(*backend)) round_.push_back(backend->id());
    }
    std::ranges::shuffle(round_, random_);
  }
  while (!round_.empty()) {
    const int32_t id = round_.back();
    round_.pop_back();
    const auto at = std::ranges::find_if(nodes_.backends(), [id](const auto& b) { return b->id() == id; });
    if (at == nodes_.backends().end()) continue;
    node = nodes_.find(**at);
    if (node != nullptr) return true;
  }
  round_open_ = false;
  return false;
}

void TopologyRefresher::ask_next() {
  wanted_ = false;
  SlotNode* node = nullptr;
  if (!next_node(node)) {
    static LogEvery every(std::chrono::seconds(5));
    if (auto turn = every.next()) {
      log_warn("cluster ", cluster_->name, ": no node says who has which slot; asking again", turn.suffix());
    }
    wanted_ = true;
    gap_ = std::min(gap_ * 2, kLastGap);
    return arm(around(gap_));
  }
  routing::Request& request = turn_.requests.take(routing::Wire::redis, routing::Answer::reply, this);
  request.internal = true;
  request.in_order = false;
  request.bytes = redis::topology_command(question_);
  request_ = &request;
  asked_ = node->server.address.host;
  arm(kPatience);
  node->backend->send(request);
}

void TopologyRefresher::on_finished(routing::Request&) noexcept {
  // Reading changes the nodes, and one of them is calling.
  answered_ = true;
  arm(0);
}

void TopologyRefresher::read_answer() {
  const bool failed = request_->failure != routing::Failure::none;
  const std::string_view reply = failed ? std::string_view() : turn_.requests.flatten_reply(*request_);
  if (!failed && question_ != redis::TopologyQuestion::nodes && redis::is_unknown_question(reply)) {
    question_ =
        question_ == redis::TopologyQuestion::shards ? redis::TopologyQuestion::slots : redis::TopologyQuestion::nodes;
    round_open_ = false;
    let_go();
    return ask_next();
  }
  bool good = false;
  if (!failed) {
    auto topology = redis::parse_topology(question_, reply, asked_);
    const bool serves =
        topology && std::ranges::any_of(topology->shards, [](const auto& s) { return !s.slots.empty(); });
    if (serves) {
      good = true;
      const bool changed = nodes_.apply(*topology);
      gap_ = changed ? kFirstGap : std::min(gap_ * 2, kLastGap);
      if (!std::exchange(known_, true) || changed) {
        log_info("cluster ", cluster_->name, ": ", nodes_.slots_served(), " slots served, ", topology->shards.size(),
                 " masters");
      }
    } else {
      static LogEvery every(std::chrono::seconds(5));
      if (auto turn = every.next()) {
        log_warn("cluster ", cluster_->name, ": asked for the cluster's nodes, ", asked_,
                 " answered: ", topology ? std::string("no slot is served") : topology.error().message, turn.suffix());
      }
    }
  }
  let_go();
  if (!good) return ask_next();
  round_open_ = false;
  rest();
}

void TopologyRefresher::rest() {
  const uint64_t now = turn_.now();
  next_allowed_ = now + around(gap_);
  const uint64_t period = cluster_->read_from == config::ReadFrom::master ? kPeriod : kReplicaPeriod;
  arm(wanted_ ? next_allowed_ - now : around(period));
}

}  // namespace overlord::proxy
