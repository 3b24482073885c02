// What an upgrade does in one worker: its listening sockets and its clients go to another process, or come from one.

#include <fcntl.h>

#include <utility>

#include "proxy/worker.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kMoveTick = 4'000'000;
// So many are begun or finished in one go, so that those who are still served do not wait for it.
constexpr size_t kMostAtOnce = 256;

}  // namespace

void Worker::open(Listener& listener, net::UniqueFd socket) {
  listener.number = socket.get();
  if (!doors_open_) {
    listener.closed = std::move(socket);
    return;
  }
  listener.id = loop_->listen(std::move(socket), listener, listener.one_socket);
}

void Worker::close_doors() {
  doors_open_ = false;
  for (auto& listener : listeners_) {
    if (!listener->closed.valid()) listener->closed = loop_->release_listener(std::exchange(listener->id, {}));
  }
}

void Worker::open_doors() {
  doors_open_ = true;
  if (stopping_) return;
  for (auto& listener : listeners_) {
    if (listener->closed.valid()) open(*listener, std::move(listener->closed));
  }
}

std::vector<HandedListener> Worker::listening() const {
  std::vector<HandedListener> out;
  for (const auto& listener : listeners_) {
    out.push_back({.address = listener->address,
                   .one_socket = listener->one_socket,
                   .fd = net::UniqueFd(::fcntl(listener->number, F_DUPFD_CLOEXEC, 0))});
  }
  return out;
}

void Worker::begin_moving(TakeClient take) {
  take_client_ = std::move(take);
  move_some();
}

void Worker::move_some() {
  if (!take_client_) return;
  size_t left = kMostAtOnce;
  for (const auto& cluster : clusters_) {
    for (Session* session = cluster->first_session(); session != nullptr && left > 0;) {
      Session* const next = session->list_next;
      const bool was_moving = session->moving();
      if (auto client = session->move_on()) {
        take_client_(std::move(*client));
        --left;
      } else if (!was_moving && session->moving()) {
        --left;
      }
      session = next;
    }
  }
  loop_->timers().arm(move_tick_, loop_->now(), kMoveTick);
}

void Worker::stop_moving() {
  take_client_ = {};
  move_tick_.cancel();
  for (const auto& cluster : clusters_) {
    for (Session* session = cluster->first_session(); session != nullptr; session = session->list_next) {
      session->stay_here();
    }
  }
}

void Worker::drain_clients() {
  for (const auto& cluster : clusters_) cluster->drain_sessions();
}

void Worker::adopt(const std::shared_ptr<SharedCluster>& cluster, MovingClient client) {
  connections_.fetch_add(1, std::memory_order_relaxed);
  auto handed = std::make_shared<MovingClient>(std::move(client));
  loop_->post([this, cluster, handed] {
    if (Cluster* const part = part_of(*cluster)) return part->adopt(handed->state, std::move(handed->fd));
    shared_.connections.leave();
    shared_.clients.of(cluster->name).leave();
  });
}

}  // namespace overlord::proxy
