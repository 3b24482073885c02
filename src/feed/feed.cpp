#include "feed/feed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace overlord::feed {
namespace {

constexpr size_t kMostBytes = 16 * 1024 * 1024;
// A server that does not wait for changes is not asked more often than that.
constexpr std::chrono::milliseconds kLeastPause{1000};
constexpr std::chrono::milliseconds kForTheAnswer{15'000};

std::unexpected<Error> failed(const std::string& what) { return fail(what + ": " + std::strerror(errno)); }

std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

Result<void> write_whole(const std::string& path, std::string_view text) {
  constexpr mode_t kOwnerOnly = 0600;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) return failed(path);
  bool good = true;
  while (good && !text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote > 0) text.remove_prefix(static_cast<size_t>(wrote));
    good = wrote > 0 || errno == EINTR;
  }
  good = good && ::fsync(fd) == 0;
  const int why = errno;
  ::close(fd);
  errno = why;
  if (!good) return failed(path);
  return {};
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) out.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

Feed::Feed(FeedOptions options, Check check)
    : options_(std::move(options)), servers_(split_list(options_.servers)), check_(std::move(check)) {}

Result<bool> Feed::ask(std::chrono::milliseconds wait) {
  if (servers_.empty()) return fail("no server is named");
  http::ClientOptions options{.timeout = wait + kForTheAnswer, .max_body = kMostBytes, .cancel = &cancelled_};
  options.tls.ca_file = options_.ca_file;
  std::vector<std::string> headers;
  if (!options_.token_file.empty()) {
    const std::string token = first_line(options_.token_file);
    if (token.empty()) return fail("no token in " + options_.token_file);
    headers.push_back("Authorization: Bearer " + token);
  }
  if (!etag_.empty()) headers.push_back("If-None-Match: " + etag_);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
  std::string target = "/api/v1/proxies/config?wait=" + std::to_string(seconds) + "s";
  if (!options_.clusters.empty()) target += "&cluster=" + http::encoded(options_.clusters);
  if (!options_.proxy.empty()) target += "&proxy=" + http::encoded(options_.proxy);
  if (!options_.stat.empty()) target += "&stat=" + http::encoded(options_.stat);
  const std::string& server = servers_[server_ % servers_.size()];
  http::Client client(server, std::move(options));
  const auto answer = client.ask("GET", target, {}, headers);
  if (!answer) {
    ++server_;
    return std::unexpected(answer.error());
  }
  constexpr int kOk = 200;
  constexpr int kNotModified = 304;
  if (answer->status == kNotModified && !etag_.empty()) return false;
  if (answer->status != kOk) {
    ++server_;
    constexpr size_t kShown = 300;
    return fail(server + " answered " + std::to_string(answer->status) + ": " + answer->body.substr(0, kShown));
  }
  auto taken = take(answer->body);
  // One that was refused is not asked for again until it has changed.
  if (taken || !answer->etag.empty()) etag_ = answer->etag;
  return taken;
}

Result<bool> Feed::take(const std::string& text) {
  if (text == copied_) return false;
  const std::string next = options_.copy + ".next-" + std::to_string(::getpid());
  auto written = write_whole(next, text);
  if (written) written = check_(next);
  if (written && ::rename(next.c_str(), options_.copy.c_str()) != 0) written = failed(options_.copy);
  const std::lock_guard lock(status_mutex_);
  if (!written) {
    ::unlink(next.c_str());
    ++status_.refused;
    return fail("the platform's configuration is not taken: " + written.error().message);
  }
  ++status_.taken;
  copied_ = text;
  return true;
}

void Feed::note(const Result<bool>& answer) {
  const std::lock_guard lock(status_mutex_);
  const std::string trouble = answer ? "" : answer.error().message;
  if (trouble != status_.trouble) {
    if (trouble.empty()) {
      log_info("platform: answers again");
    } else if (!cancelled_) {
      log_warn("platform: ", trouble, "; ", options_.copy, " stays in force");
    }
  }
  status_.connected = answer.has_value();
  status_.trouble = trouble;
}

bool Feed::pause(std::chrono::milliseconds least) {
  std::uniform_int_distribution<int64_t> more(0, std::max<int64_t>(least.count() / 2, 1));
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, least + std::chrono::milliseconds(more(random_)), [this] { return stopping_; });
}

Result<void> Feed::first(std::chrono::milliseconds patience) {
  const auto until = Clock::now() + patience;
  copied_ = text_of(options_.copy);
  for (size_t asked = 0;;) {
    const auto answer = ask(std::chrono::milliseconds(0));
    if (answer) {
      note(answer);
      return {};
    }
    const bool copy = ::access(options_.copy.c_str(), R_OK) == 0;
    const bool others = ++asked < servers_.size();
    if (others || (!copy && Clock::now() + options_.first_retry < until && pause(options_.first_retry))) continue;
    if (!copy) {
      return fail("the platform gave no configuration and there is no copy at " + options_.copy + ": " +
                  answer.error().message);
    }
    note(answer);
    return {};
  }
}

void Feed::start(Changed changed) {
  changed_ = std::move(changed);
  thread_ = std::thread([this] { follow(); });
}

void Feed::follow() {
  auto retry = options_.first_retry;
  bool in_force = true;
  for (;;) {
    const auto asked = Clock::now();
    const auto answer = ask(options_.wait);
    if (cancelled_) return;
    note(answer);
    if (!answer) {
      if (!pause(retry)) return;
      retry = std::min(2 * retry, options_.last_retry);
      continue;
    }
    retry = options_.first_retry;
    if (*answer) log_info("platform: the configuration has changed");
    if (*answer || !in_force) in_force = changed_();
    const bool at_once = Clock::now() - asked < std::min(kLeastPause, options_.wait);
    if ((at_once || !in_force) && !*answer && !pause(std::min(kLeastPause, options_.wait))) return;
  }
}

void Feed::stop() {
  cancelled_ = true;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

FeedStatus Feed::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

}  // namespace overlord::feed
