#include "executor/probe.h"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/address.h"

namespace overlord::executor {
namespace {

constexpr size_t kMostAnswer = 64 * 1024;

std::string redis_command(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out.append(word).append("\r\n");
  }
  return out;
}

std::string line_of(std::string_view text, std::string_view field) {
  const size_t at = text.find(field);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + field.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

}  // namespace

Probe::Probe(const model::NodeTask& task) : type_(task.type), host_(task.host), port_(task.port) {
  if (type_ == model::CacheType::memcache) {
    if (!task.password.empty()) {
      const std::string secret = "default " + task.password;
      login_ = "set login 0 0 " + std::to_string(secret.size()) + "\r\n" + secret + "\r\n";
    }
    question_ = "version\r\n";
    return;
  }
  if (!task.password.empty()) login_ = redis_command({"AUTH", task.password});
  question_ = redis_command({"PING"});
  if (type_ == model::CacheType::redis_cluster) question_ += redis_command({"CLUSTER", "INFO"});
}

void Probe::begin(Clock::time_point now, std::chrono::milliseconds patience) {
  if (busy_) return;
  busy_ = true;
  deadline_ = now + patience;
  replies_.clear();
  in_.clear();
  expected_ = type_ == model::CacheType::redis_cluster ? 2 : 1;
  out_ = question_;
  if (!fd_.valid()) {
    logged_in_ = login_.empty();
    const auto address = net::numeric_address(host_, port_);
    fd_.reset(::socket(address ? address->family() : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // What fails at once is found by advance(), as what fails later is.
    const bool asked = address && ::connect(fd_.get(), address->get(), address->length) == 0;
    connecting_ = !asked;
  }
  if (!logged_in_) {
    out_.insert(0, login_);
    ++expected_;
  }
}

pollfd Probe::wish() const {
  const bool writing = connecting_ || !out_.empty();
  return {.fd = fd_.get(), .events = static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), .revents = 0};
}

void Probe::drop() {
  fd_.reset();
  busy_ = false;
}

Finding Probe::end(Finding finding) {
  busy_ = false;
  const bool good = finding.what == Finding::What::alive || finding.what == Finding::What::loading;
  if (good) logged_in_ = true;
  if (!good) fd_.reset();
  return finding;
}

std::optional<Finding> Probe::advance(Clock::time_point now) {
  if (!busy_) return std::nullopt;
  if (!fd_.valid()) return end({.what = Finding::What::closed, .text = "no socket could be opened"});
  if (auto finding = send()) return finding;
  if (auto finding = receive()) return finding;
  if (now >= deadline_) return end({.what = Finding::What::silent, .text = "does not answer"});
  return std::nullopt;
}

std::optional<Finding> Probe::send() {
  if (connecting_) {
    pollfd look{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&look, 1, 0) <= 0) return std::nullopt;
    if (const int why = net::pending_error(fd_.get()); why != 0) {
      return end({.what = Finding::What::closed, .text = std::string("cannot be connected to: ") + std::strerror(why)});
    }
    if (net::connected_to_itself(fd_.get())) {
      return end({.what = Finding::What::closed, .text = "cannot be connected to: nobody listens"});
    }
    connecting_ = false;
  }
  while (!out_.empty()) {
    const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return std::nullopt;
    if (sent < 0) return end({.what = Finding::What::closed, .text = "its connection broke"});
    out_.erase(0, static_cast<size_t>(sent));
  }
  return std::nullopt;
}

std::optional<Finding> Probe::receive() {
  if (connecting_) return std::nullopt;
  while (true) {
    char piece[4096];
    const ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return end({.what = Finding::What::closed, .text = "closed the connection"});
    in_.append(piece, static_cast<size_t>(got));
    if (in_.size() > kMostAnswer) return end({.what = Finding::What::wrong, .text = "answers without end"});
  }
  std::string reply;
  while (replies_.size() < expected_ && take_reply(reply)) replies_.push_back(reply);
  if (replies_.size() < expected_) return std::nullopt;
  return type_ == model::CacheType::memcache ? read_memcached() : read_redis();
}

// One line, or a bulk string of redis with its header before it.
bool Probe::take_reply(std::string& reply) {
  const size_t end = in_.find("\r\n");
  if (end == std::string::npos) return false;
  size_t whole = end + 2;
  if (type_ != model::CacheType::memcache && in_.front() == '$') {
    size_t size = 0;
    const auto [stop, failure] = std::from_chars(in_.data() + 1, in_.data() + end, size);
    if (failure == std::errc{} && stop == in_.data() + end && size <= kMostAnswer) {
      whole += size + 2;
      if (in_.size() < whole) return false;
    }
  }
  reply = in_.substr(0, whole);
  in_.erase(0, whole);
  return true;
}

std::optional<Finding> Probe::read_redis() {
  size_t at = 0;
  if (!logged_in_) {
    // Without a password of its own a node answers AUTH with an error: it is not as it was rendered.
    const std::string& answer = replies_[at++];
    if (answer.starts_with("-") && !answer.starts_with("-LOADING")) {
      return end({.what = Finding::What::wrong, .text = "does not take the password: " + line_of(answer, "-")});
    }
  }
  const std::string& pong = replies_[at++];
  if (pong.starts_with("-LOADING")) return end({.what = Finding::What::loading, .text = "is loading its data"});
  if (pong.starts_with("-NOAUTH") || pong.starts_with("-WRONGPASS")) {
    return end({.what = Finding::What::wrong, .text = "does not take the password: " + line_of(pong, "-")});
  }
  if (pong.starts_with("-")) return end({.what = Finding::What::alive, .text = "answers " + line_of(pong, "-")});
  if (!pong.starts_with("+PONG"))
    return end({.what = Finding::What::wrong, .text = "answers PING with something else"});
  if (type_ != model::CacheType::redis_cluster) return end({.what = Finding::What::alive});
  const std::string state = line_of(replies_[at], "cluster_state:");
  if (state.empty()) return end({.what = Finding::What::wrong, .text = "says nothing of its cluster"});
  if (state == "ok") return end({.what = Finding::What::alive});
  return end({.what = Finding::What::alive,
              .text = "cluster state " + state + ", " + line_of(replies_[at], "cluster_slots_ok:") + " slots ok"});
}

std::optional<Finding> Probe::read_memcached() {
  for (size_t i = 0; i + 1 < replies_.size(); ++i) {
    if (!replies_[i].starts_with("STORED")) {
      return end({.what = Finding::What::wrong, .text = "does not take the password"});
    }
  }
  if (replies_.back().starts_with("VERSION ")) return end({.what = Finding::What::alive});
  return end({.what = Finding::What::wrong, .text = "answers version with something else"});
}

}  // namespace overlord::executor
