#include "proxy/proxy.h"

#include <fcntl.h>
#include <unistd.h>

#include <ctime>

#include "base/log.h"
#include "proxy/ask_workers.h"

namespace overlord::proxy {
namespace {

constexpr int kBacklog = 4096;

net::Driver driver_of(config::IoDriver io) {
  if (io == config::IoDriver::epoll) return net::Driver::epoll;
  return io == config::IoDriver::io_uring ? net::Driver::io_uring : net::Driver::automatic;
}

}  // namespace

Proxy::Proxy(config::ProcessConfig process, config::ClusterFile file)
    : shared_{.process = std::move(process), .file = std::move(file)}, certificates_(shared_.file, workers_) {
  shared_.started_at = static_cast<uint64_t>(::time(nullptr));
}

Proxy::~Proxy() {
  stop(0);
  resolver_.stop();
  workers_.clear();
}

Result<void> Proxy::start() {
  if (auto made = make_workers(); !made) return made;
  if (auto loaded = certificates_.load(); !loaded) return loaded;
  if (auto opened = open_listeners(); !opened) return opened;
  for (const std::string& address : inherited_.left()) {
    log_warn("the service manager passed a socket on ", address, ", which no cluster names; closed");
  }
  inherited_ = {};
  for (auto& worker : workers_) worker->start();
  watch_sentinels();
  certificates_.watch();
  return {};
}

Result<void> Proxy::make_workers() {
  const unsigned long descriptors = net::raise_fd_limit();
  const uint32_t count = config::resolved_workers(shared_.process);
  for (uint32_t i = 0; i < count; ++i) {
    auto loop = net::make_loop(driver_of(shared_.process.io));
    if (!loop) return std::unexpected(loop.error());
    if (i == 0) log_info("io driver ", (*loop)->driver(), ", at most ", descriptors, " descriptors");
    workers_.push_back(std::make_unique<Worker>(i, std::move(*loop), shared_, resolver_));
  }
  for (auto& worker : workers_) {
    std::vector<Worker*> peers;
    for (auto& other : workers_) {
      if (other != worker) peers.push_back(other.get());
    }
    worker->set_peers(std::move(peers));
  }
  return {};
}

void Proxy::watch_sentinels() {
  for (size_t c = 0; c < shared_.file.clusters.size(); ++c) {
    if (shared_.file.clusters[c].sentinels.empty()) continue;
    const auto moved = [this, c](size_t server, const std::string& host, const net::SocketAddress& address) {
      for (auto& worker : workers_) worker->move_backend(c, server, host, address);
    };
    watches_.push_back(std::make_unique<SentinelWatch>(shared_.file.clusters[c], moved));
    watches_.back()->start();
  }
}

Result<void> Proxy::open_listeners() {
  for (size_t c = 0; c < shared_.file.clusters.size(); ++c) {
    const config::ClusterConfig& cluster = shared_.file.clusters[c];
    for (const config::Address& address : cluster.listen) {
      if (auto opened = open_listener(c, address, false); !opened) return opened;
    }
    for (const config::Address& address : cluster.listen_tls) {
      if (auto opened = open_listener(c, address, true); !opened) return opened;
    }
  }
  return {};
}

Result<void> Proxy::open_listener(size_t c, const config::Address& address, bool tls) {
  const config::ClusterConfig& cluster = shared_.file.clusters[c];
  const std::string where = "cluster " + cluster.name + ": cannot listen on " + config::to_string(address) + ": ";
  if (address.kind == config::Address::Kind::unix_socket) {
    // One socket; the first worker accepts and hands over.
    auto resolved = net::unix_address(address.path);
    if (!resolved) return fail(where + resolved.error().message);
    if (!listen_on_inherited(c, *resolved, tls)) {
      auto fd = net::listen_socket(*resolved, false, kBacklog);
      if (!fd) return fail(where + fd.error().message);
      workers_[0]->listen(c, std::move(*fd), false, tls);
      socket_paths_.push_back(address.path);
    }
  } else if (auto resolved = net::resolve(address.host, address.port, true); !resolved) {
    return fail(where + resolved.error().message);
  } else if (!listen_on_inherited(c, resolved->front(), tls)) {
    // Another process with SO_REUSEPORT on the port would silently share it: the first bind goes without.
    if (auto probe = net::listen_socket(resolved->front(), false, 0); !probe) {
      return fail(where + probe.error().message);
    }
    for (auto& worker : workers_) {
      auto fd = net::listen_socket(resolved->front(), true, kBacklog);
      if (!fd) return fail(where + fd.error().message);
      worker->listen(c, std::move(*fd), false, tls);
    }
  }
  log_info("cluster ", cluster.name, ": ", config::to_string(cluster.cache_type), tls ? " with TLS" : "", " on ",
           config::to_string(address), ", ", cluster.servers.size(), " backends");
  return {};
}

bool Proxy::listen_on_inherited(size_t cluster, const net::SocketAddress& address, bool tls) {
  net::UniqueFd fd = inherited_.take(address);
  if (!fd.valid()) return false;
  log_info("cluster ", shared_.file.clusters[cluster].name, ": ", net::to_string(address),
           " is a socket of the service manager");
  // There is one socket: every worker accepts from it, and the kernel wakes one of them for each connection. It is
  // never ours alone: the manager has it too, and goes on listening when we end.
  for (auto& worker : workers_) {
    worker->listen(cluster, net::UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)), true, tls);
  }
  return true;
}

bool Proxy::pulse() {
  bool all = true;
  for (auto& worker : workers_) all = worker->pulse() && all;
  return all;
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
  watches_.clear();
  certificates_.stop();
  for (auto& worker : workers_) worker->ask_stop(grace_ns);
  for (auto& worker : workers_) worker->join();
  for (const std::string& path : socket_paths_) ::unlink(path.c_str());
  socket_paths_.clear();
}

}  // namespace overlord::proxy
