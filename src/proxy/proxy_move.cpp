// What an upgrade asks of the proxy, in the process that gives and in the one that takes.

#include <algorithm>
#include <utility>

#include "proxy/ask_workers.h"
#include "proxy/proxy.h"

namespace overlord::proxy {
namespace {

// A worker that does not come to it within this time hangs, or the machine is very busy.
constexpr std::chrono::milliseconds kPatience{5000};

// False: not all came to it in time.
template <typename Do>
bool all_have_done(const std::vector<std::unique_ptr<Worker>>& workers, Do act) {
  const auto answers = ask_workers<bool>(workers, kPatience, [act](Worker& worker) {
    act(worker);
    return true;
  });
  return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); });
}

}  // namespace

void Proxy::take_over(std::vector<HandedListener> sockets) {
  taking_over_ = true;
  reloader_.take_over(std::move(sockets));
}

Result<std::vector<HandedListener>> Proxy::listening() {
  using Sockets = std::shared_ptr<std::vector<HandedListener>>;
  auto answers = ask_workers<Sockets>(workers_, kPatience, [](Worker& worker) {
    return std::make_shared<std::vector<HandedListener>>(worker.listening());
  });
  std::vector<HandedListener> all;
  for (auto& answer : answers) {
    if (!answer) return fail("a worker does not turn");
    for (HandedListener& one : **answer) {
      if (!one.fd.valid()) return fail("no descriptor left for the socket on " + one.address);
      one.path = reloader_.path_of(one.address);
      all.push_back(std::move(one));
    }
  }
  return all;
}

bool Proxy::close_doors() {
  return all_have_done(workers_, [](Worker& worker) { worker.close_doors(); });
}

void Proxy::open_doors() {
  for (auto& worker : workers_) {
    worker->post([&worker = *worker] { worker.open_doors(); });
  }
}

void Proxy::begin_moving(const Worker::TakeClient& take) {
  for (auto& worker : workers_) {
    worker->post([&worker = *worker, take] { worker.begin_moving(take); });
  }
}

bool Proxy::stop_moving() {
  return all_have_done(workers_, [](Worker& worker) { worker.stop_moving(); });
}

void Proxy::drain_clients() {
  for (auto& worker : workers_) {
    worker->post([&worker = *worker] { worker.drain_clients(); });
  }
}

Result<void> Proxy::may_adopt(const handover::ClientState& state) {
  const config::Configuration running = configuration();
  for (const config::ClusterSnapshot& cluster : running.clusters) {
    if (cluster->name != state.cluster) continue;
    if (static_cast<uint8_t>(cluster->cache_type) != state.cache_type) return fail("the cluster's protocol is another");
    const bool named = state.user == static_cast<uint8_t>(handover::ClientState::User::named);
    if (named && cluster->users.find(state.user_name) == nullptr) return fail("there is no such user any more");
    return {};
  }
  return fail("there is no such cluster any more");
}

void Proxy::adopt(MovingClient client) {
  const auto cluster = reloader_.cluster(client.state.cluster);
  if (cluster == nullptr) {  // gone since it was let in
    leave_places(client.state.cluster, 1);
    return leave_places({}, 1);
  }
  Worker* least = workers_.front().get();
  for (const auto& worker : workers_) {
    if (worker->connections() < least->connections()) least = worker.get();
  }
  least->adopt(cluster, std::move(client));
}

void Proxy::reserve_places(const std::string& cluster, uint32_t count) {
  (cluster.empty() ? shared_.connections : shared_.clients.of(cluster)).reserve(count);
}

void Proxy::leave_places(const std::string& cluster, uint32_t count) {
  (cluster.empty() ? shared_.connections : shared_.clients.of(cluster)).leave(count);
}

uint32_t Proxy::clients_of(const std::string& cluster) {
  return (cluster.empty() ? shared_.connections : shared_.clients.of(cluster)).get();
}

}  // namespace overlord::proxy
