#include "proxy/sentinel_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "base/log.h"
#include "proxy/sentinel_connection.h"

namespace overlord::proxy {
namespace {

constexpr int kAskEveryMs = 1000;
constexpr int kPauseMs = 200;  // after a Sentinel that was of no use
constexpr std::string_view kSwitch = "+switch-master";

using Reply = SentinelConnection::Reply;

std::string_view text(const redisReply* reply) { return SentinelConnection::text(reply); }

std::string_view take_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

}  // namespace

SentinelWatch::SentinelWatch(config::ClusterSnapshot cluster, Moved moved)
    : cluster_(std::move(cluster)),
      moved_(std::move(moved)),
      known_(cluster_->servers.size()),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

SentinelWatch::~SentinelWatch() {
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void SentinelWatch::start() {
  thread_ = std::thread([this] { run(); });
}

bool SentinelWatch::stopping(int timeout_ms, int fd, bool& readable) {
  pollfd wanted[] = {{stop_.get(), POLLIN, 0}, {fd, POLLIN, 0}};
  (void)::poll(wanted, fd >= 0 ? 2 : 1, timeout_ms);
  readable = fd >= 0 && wanted[1].revents != 0;
  return wanted[0].revents != 0;
}

void SentinelWatch::run() {
  bool knew = true;
  for (size_t next = 0;; ++next) {
    const config::Address& sentinel = cluster_->sentinels[next % cluster_->sentinels.size()];
    const bool good = follow(sentinel);
    bool readable = false;
    if (stopping(good ? 0 : kPauseMs, -1, readable)) return;
    // One line when all of them have failed in a row, not one for each.
    if (good) {
      knew = true;
      log_warn("cluster ", cluster_->name, ": lost sentinel ", config::to_string(sentinel), "; asking the next");
    } else if (knew && (next + 1) % cluster_->sentinels.size() == 0) {
      knew = false;
      log_error("cluster ", cluster_->name, ": no sentinel answers for every master; the last known addresses stay");
    }
  }
}

SentinelWatch::Connection SentinelWatch::open(const config::Address& sentinel) {
  auto made = SentinelConnection::open(*cluster_, sentinel);
  if (made) return std::move(*made);
  static LogEvery every(std::chrono::seconds(5));
  if (auto turn = every.next()) {
    log_warn("cluster ", cluster_->name, ": sentinel ", config::to_string(sentinel), ": ", made.error().message,
             turn.suffix());
  }
  return nullptr;
}

bool SentinelWatch::follow(const config::Address& sentinel) {
  // The listener subscribes before the first question, so that no switch falls between them.
  const Connection listener = open(sentinel);
  const Connection asker = listener == nullptr ? nullptr : open(sentinel);
  if (asker == nullptr) return false;
  const Reply subscribed = listener->ask({"SUBSCRIBE", kSwitch});
  if (subscribed == nullptr || subscribed->type == REDIS_REPLY_ERROR) return false;
  bool good = false;
  for (;;) {
    if (!ask_all(*asker)) return good;
    good = true;
    bool readable = false;
    if (stopping(kAskEveryMs, listener->fd(), readable)) return good;
    if (readable && !take_messages(*listener)) return good;
  }
}

bool SentinelWatch::ask_all(SentinelConnection& asker) {
  for (size_t i = 0; i < cluster_->servers.size(); ++i) {
    const std::string& name = cluster_->servers[i].address.path;
    const Reply answer = asker.ask({"SENTINEL", "get-master-addr-by-name", name});
    if (answer == nullptr) return false;
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2) {
      static LogEvery every(std::chrono::seconds(5));
      if (auto turn = every.next()) {
        log_warn("cluster ", cluster_->name, ": a sentinel does not know the master '", name, "'",
                 answer->type == REDIS_REPLY_ERROR ? ": " : "", text(answer.get()), turn.suffix());
      }
      return false;
    }
    tell(i, text(answer->element[0]), text(answer->element[1]));
  }
  return true;
}

bool SentinelWatch::take_messages(SentinelConnection& listener) {
  if (!listener.receive()) return false;
  for (;;) {
    bool good = true;
    const Reply message = listener.next(good);
    if (!good) return false;
    if (message == nullptr) return true;
    if (message->type != REDIS_REPLY_ARRAY || message->elements != 3 || text(message->element[1]) != kSwitch) continue;
    // "NAME OLD-IP OLD-PORT NEW-IP NEW-PORT"
    std::string_view rest = text(message->element[2]);
    const std::string_view name = take_word(rest);
    take_word(rest);
    take_word(rest);
    const std::string_view host = take_word(rest);
    for (size_t i = 0; i < cluster_->servers.size(); ++i) {
      if (cluster_->servers[i].address.path == name) tell(i, host, rest);
    }
  }
}

void SentinelWatch::tell(size_t server, std::string_view host, std::string_view port) {
  uint16_t number = 0;
  std::from_chars(port.data(), port.data() + port.size(), number);
  auto found = net::resolve(std::string(host), number, false);
  if (host.empty() || number == 0 || !found) return;
  Place& known = known_[server];
  if (found->front() == known.address && host == known.host) return;
  log_info("cluster ", cluster_->name, ": master ", cluster_->servers[server].address.path, " is at ",
           net::to_string(found->front()),
           known.address.length == 0 ? std::string() : " (was at " + net::to_string(known.address) + ")");
  known = {std::string(host), found->front()};
  moved_(cluster_->servers[server].address.path, known.host, known.address);
}

}  // namespace overlord::proxy
