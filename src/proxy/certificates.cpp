#include "proxy/certificates.h"

#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "proxy/worker.h"

namespace overlord::proxy {
namespace {

constexpr auto kLookEvery = std::chrono::seconds(1);
constexpr auto kTicketKeysLive = std::chrono::hours(12);

const char* key_name(TlsSide side, net::TlsProblem::Part part) {
  using Part = net::TlsProblem::Part;
  const bool clients = side == TlsSide::clients;
  switch (part) {
    case Part::cert: return clients ? "tls_cert" : "backend_tls_cert";
    case Part::key: return clients ? "tls_key" : "backend_tls_key";
    case Part::ca: return clients ? "tls_ca" : "backend_tls_ca";
    case Part::ciphers: return "tls_ciphers";
    case Part::ciphersuites: return "tls_ciphersuites";
    case Part::other: break;
  }
  return clients ? "listen_tls_addr" : "backend_tls";
}

std::string validity(const net::TlsContext& context) {
  const time_t until = net::tls_valid_until(context);
  if (until == 0) return {};
  tm time{};
  char text[32];
  ::gmtime_r(&until, &time);
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &time);
  return std::string(", valid until ") + text;
}

}  // namespace

bool Certificates::Stamp::operator==(const Stamp& other) const {
  return changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec && size == other.size &&
         inode == other.inode;
}

Result<std::vector<Certificates::Contexts>> Certificates::read(const Clusters& clusters) {
  const std::lock_guard looking(looking_);
  next_.clear();
  std::vector<Contexts> made;
  const auto want = [&](const config::ClusterConfig& cluster, TlsSide side,
                        const net::TlsSettings& settings) -> Result<void> {
    const auto known = std::ranges::find_if(watched_, [&](const Watched& watched) {
      return watched.cluster == cluster.name && watched.side == side && watched.settings == settings;
    });
    if (known != watched_.end()) {
      next_.push_back(*known);
      return {};
    }
    next_.push_back({.cluster = cluster.name, .side = side, .settings = settings});
    auto contexts = renew(next_.back());
    if (!contexts) return std::unexpected(contexts.error());
    made.push_back({cluster.name, side, std::move(*contexts)});
    return {};
  };
  for (const config::ClusterSnapshot& cluster : clusters) {
    if (!cluster->listen_tls.empty()) {
      if (auto read = want(*cluster, TlsSide::clients, cluster->tls); !read) return std::unexpected(read.error());
    }
    if (cluster->backend_tls_on) {
      if (auto read = want(*cluster, TlsSide::backends, cluster->backend_tls); !read) {
        return std::unexpected(read.error());
      }
    }
  }
  return made;
}

void Certificates::adopt() {
  const std::lock_guard looking(looking_);
  watched_ = std::move(next_);
  next_.clear();
}

void Certificates::watch() {
  {
    const std::lock_guard looking(looking_);
    if (watched_.empty() || thread_.joinable()) return;
  }
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "certificates");
    work();
  });
}

void Certificates::look_now() {
  const std::lock_guard lock(mutex_);
  look_now_ = true;
  wake_.notify_one();
}

void Certificates::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Certificates::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, kLookEvery, [this] { return stopping_ || look_now_; });
    if (stopping_) return;
    const bool at_once = std::exchange(look_now_, false);
    lock.unlock();
    {
      const std::lock_guard looking(looking_);
      for (Watched& watched : watched_) check(watched, at_once);
    }
    lock.lock();
  }
}

void Certificates::check(Watched& watched, bool at_once) {
  const Stamps now = look(watched.settings);
  const bool rests = std::exchange(watched.before, now) == now;
  const bool changed = now != watched.tried;
  if (changed ? !rests && !at_once : Clock::now() - watched.made_at < kTicketKeysLive) return;
  auto made = renew(watched);
  if (!made) return log_error(made.error().message, "; the files read before stay in use");
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->post_tls(watched.cluster, watched.side, std::move((*made)[i]));
  }
}

Certificates::Stamps Certificates::look(const net::TlsSettings& settings) {
  Stamps stamps;
  const std::string* const paths[] = {&settings.cert_file, &settings.key_file, &settings.ca_file};
  for (size_t i = 0; i < stamps.size(); ++i) {
    struct stat found{};
    if (paths[i]->empty() || ::stat(paths[i]->c_str(), &found) != 0) continue;
    stamps[i] = {found.st_mtim, found.st_size, found.st_ino};
  }
  return stamps;
}

Result<std::vector<net::TlsContextPtr>> Certificates::renew(Watched& watched) const {
  const bool again = watched.made_at != Clock::time_point{};
  watched.tried = watched.before = look(watched.settings);
  watched.made_at = Clock::now();
  const auto complain = [&](const net::TlsProblem& problem) {
    return fail("cluster " + watched.cluster + ": " + key_name(watched.side, problem.part) + ": " + problem.message +
                (problem.fix.empty() ? "" : "; " + problem.fix));
  };
  const auto material = net::read_tls_files(watched.settings);
  if (!material) return complain(material.error());
  std::vector<net::TlsContextPtr> contexts;
  for (size_t i = 0; i < workers_.size(); ++i) {
    auto context = net::make_tls_context(watched.settings, *material);
    if (!context) return complain(context.error());
    contexts.push_back(std::move(*context));
  }
  log_info("cluster ", watched.cluster, ": ", again ? "reloaded" : "loaded", " the TLS files for ",
           watched.side == TlsSide::clients ? "clients" : "backends", validity(*contexts.front()));
  return contexts;
}

}  // namespace overlord::proxy
