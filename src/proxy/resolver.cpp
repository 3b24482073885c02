#include "proxy/resolver.h"

#include <utility>

namespace overlord::proxy {

Resolver::~Resolver() { stop(); }

void Resolver::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Resolver::look_up(std::string host, uint16_t port, Answer answer) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  jobs_.push_back({std::move(host), port, std::move(answer)});
  wake_.notify_one();
}

void Resolver::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    auto addresses = net::resolve(job.host, job.port, false);
    job.answer(addresses ? std::move(*addresses) : std::vector<net::SocketAddress>{});
    lock.lock();
  }
}

ResolvedName::ResolvedName(Resolver& resolver, net::Loop& loop, const config::Address& address, NameLookup lookup)
    : resolver_(resolver), loop_(loop), address_(address) {
  if (address.kind == config::Address::Kind::unix_socket) {
    if (auto path = net::unix_address(address.path)) addresses_->push_back(*path);
    return;
  }
  if (address.kind == config::Address::Kind::sentinel) return;  // set() when a Sentinel has said it
  if (auto numeric = net::numeric_address(address.host, address.port)) {
    addresses_->push_back(*numeric);
    return;
  }
  is_name_ = true;
  if (lookup == NameLookup::later) {
    refresh();
    return;
  }
  if (auto found = net::resolve(address.host, address.port, false)) *addresses_ = std::move(*found);
}

void ResolvedName::refresh() {
  if (!is_name_ || *asking_) return;
  *asking_ = true;
  // The backend may be gone when the answer comes: it lands in shared state, not in this object.
  resolver_.look_up(address_.host, address_.port,
                    [&loop = loop_, asking = asking_, addresses = addresses_](std::vector<net::SocketAddress> found) {
                      loop.post([asking, addresses, found = std::move(found)]() mutable {
                        *asking = false;
                        if (!found.empty()) *addresses = std::move(found);
                      });
                    });
}

}  // namespace overlord::proxy
