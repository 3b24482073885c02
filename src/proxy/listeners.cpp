#include "proxy/listeners.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace overlord::proxy {
namespace {

constexpr int kBacklog = 4096;

std::string name_of(int fd) {
  net::SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) return {};
  return net::to_string(address);
}

Result<void> to_void(const Result<bool>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

}  // namespace

Result<std::vector<ListenPlan>> Listeners::open(const std::vector<Wanted>& wanted) {
  std::vector<ListenPlan> plan;
  Result<void> opened;
  for (const Wanted& one : wanted) {
    for (const config::Address& address : one.config->listen) {
      if (opened) opened = add(one, address, false, plan);
    }
    for (const config::Address& address : one.config->listen_tls) {
      if (opened) opened = add(one, address, true, plan);
    }
  }
  if (!opened) {
    for (const ListenPlan& one : plan) {
      if (!one.path.empty() && !one.handed) ::unlink(one.path.c_str());
    }
    return std::unexpected(opened.error());
  }
  for (const std::string& address : inherited_.left()) {
    log_warn("the service manager passed a socket on ", address, ", which no cluster names; closed");
  }
  inherited_ = {};
  for (const HandedListener& left : handed_) {
    log_warn("the process before listened on ", left.address, ", which no cluster names now; closed when that ends");
  }
  handed_.clear();
  return plan;
}

Result<void> Listeners::add(const Wanted& wanted, const config::Address& address, bool tls,
                            std::vector<ListenPlan>& plan) {
  const config::ClusterConfig& cluster = *wanted.config;
  ListenPlan one{.address = config::to_string(address), .cluster = wanted.cluster, .tls = tls, .sockets = {}};
  // The kernel chooses another port for each.
  const bool any_port = address.kind == config::Address::Kind::tcp && address.port == 0;
  if (any_port) one.address += " of " + cluster.name;
  if (std::ranges::find(open_, one.address) == open_.end()) {
    if (auto opened = open_one(cluster, address, one); !opened) {
      return fail("cluster " + cluster.name + ": cannot listen on " + config::to_string(address) + ": " +
                  opened.error().message);
    }
    log_info("cluster ", cluster.name, ": ", config::to_string(cluster.cache_type), tls ? " with TLS" : "", " on ",
             config::to_string(address), ", ", cluster.servers.size(), " backends");
  }
  plan.push_back(std::move(one));
  return {};
}

Result<void> Listeners::open_one(const config::ClusterConfig& cluster, const config::Address& address,
                                 ListenPlan& one) {
  if (address.kind == config::Address::Kind::unix_socket) {
    // One socket; the first worker accepts and hands over.
    auto resolved = net::unix_address(address.path);
    if (!resolved) return std::unexpected(resolved.error());
    if (auto taken = take_handed(cluster, *resolved, one); !taken || *taken) return to_void(taken);
    if (take_inherited(cluster, *resolved, one)) return {};
    auto fd = net::listen_socket(*resolved, false, kBacklog);
    if (!fd) return std::unexpected(fd.error());
    one.sockets.push_back(std::move(*fd));
    one.path = address.path;
    return {};
  }
  auto resolved = net::resolve(address.host, address.port, true);
  if (!resolved) return std::unexpected(resolved.error());
  if (auto taken = take_handed(cluster, resolved->front(), one); !taken || *taken) return to_void(taken);
  if (take_inherited(cluster, resolved->front(), one)) return {};
  // Another process with SO_REUSEPORT on the port would silently share it: the first bind goes without.
  if (auto probe = net::listen_socket(resolved->front(), false, 0); !probe) return std::unexpected(probe.error());
  for (size_t i = 0; i < workers_; ++i) {
    auto fd = net::listen_socket(resolved->front(), true, kBacklog);
    if (!fd) return std::unexpected(fd.error());
    one.sockets.push_back(std::move(*fd));
  }
  return {};
}

Result<bool> Listeners::take_handed(const config::ClusterConfig& cluster, const net::SocketAddress& address,
                                    ListenPlan& one) {
  // By where they listen; one on a port of the kernel's choice by what asked for it.
  const std::string where = net::to_string(address);
  bool one_socket = false;
  for (HandedListener& handed : handed_) {
    if (handed.address != one.address && name_of(handed.fd.get()) != where) continue;
    one_socket = handed.one_socket;
    one.path = handed.path;
    one.sockets.push_back(std::move(handed.fd));
  }
  if (one.sockets.empty()) return false;
  one.handed = true;
  std::erase_if(handed_, [](const HandedListener& handed) { return !handed.fd.valid(); });
  log_info("cluster ", cluster.name, ": ", where, " goes on with ", one.sockets.size(),
           " sockets of the process before");
  if (one_socket) {
    one.one_socket = true;
    one.sockets.resize(1);
    while (one.sockets.size() < workers_) {
      one.sockets.emplace_back(::fcntl(one.sockets[0].get(), F_DUPFD_CLOEXEC, 0));
    }
  } else if (address.family() != AF_UNIX) {
    net::SocketAddress exactly = address;
    exactly.length = sizeof exactly.storage;
    ::getsockname(one.sockets[0].get(), reinterpret_cast<sockaddr*>(&exactly.storage), &exactly.length);
    while (one.sockets.size() < workers_) {
      auto fd = net::listen_socket(exactly, true, kBacklog);
      if (!fd) return std::unexpected(fd.error());
      one.sockets.push_back(std::move(*fd));
    }
  }
  return true;
}

std::string Listeners::path_of(const std::string& address) const {
  const auto found = std::ranges::find_if(ours_, [&](const std::string& path) { return address == "unix:" + path; });
  return found == ours_.end() ? std::string() : *found;
}

bool Listeners::take_inherited(const config::ClusterConfig& cluster, const net::SocketAddress& address,
                               ListenPlan& one) {
  const net::UniqueFd fd = inherited_.take(address);
  if (!fd.valid()) return false;
  log_info("cluster ", cluster.name, ": ", net::to_string(address), " is a socket of the service manager");
  // There is one socket: every worker accepts from it, and the kernel wakes one of them for each connection. It is
  // never ours alone: the manager has it too, and goes on listening when we end.
  one.one_socket = true;
  for (size_t i = 0; i < workers_; ++i) one.sockets.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  return true;
}

void Listeners::adopt(const std::vector<ListenPlan>& plan) {
  open_.clear();
  std::vector<std::string> ours;
  for (const ListenPlan& one : plan) {
    open_.push_back(one.address);
    if (!one.path.empty()) ours.push_back(one.path);
  }
  const auto listened_on = [&](const std::string& path) {
    return std::ranges::any_of(plan, [&](const ListenPlan& one) { return one.address == "unix:" + path; });
  };
  for (std::string& path : ours_) {
    if (listened_on(path)) {
      ours.push_back(std::move(path));
    } else {
      ::unlink(path.c_str());
    }
  }
  ours_ = std::move(ours);
}

void Listeners::remove_paths() {
  for (const std::string& path : ours_) ::unlink(path.c_str());
  ours_.clear();
}

}  // namespace overlord::proxy
