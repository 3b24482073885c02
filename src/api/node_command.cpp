#include "api/node_command.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/ascii.h"
#include "net/address.h"
#include "net/socket.h"

namespace overlord::api {
namespace {

using Clock = std::chrono::steady_clock;

// With a blank: only that subcommand.
constexpr std::string_view kDenied[] = {
    "acl",
    "asking",
    "auth",
    "bgrewriteaof",
    "bgsave",
    "blmove",
    "blmpop",
    "blpop",
    "brpop",
    "brpoplpush",
    "bzmpop",
    "bzpopmax",
    "bzpopmin",
    "client kill",
    "client no-evict",
    "client pause",
    "client reply",
    "client setname",
    "client tracking",
    "client unblock",
    "client unpause",
    "cluster addslots",
    "cluster addslotsrange",
    "cluster bumpepoch",
    "cluster delslots",
    "cluster delslotsrange",
    "cluster failover",
    "cluster flushslots",
    "cluster forget",
    "cluster meet",
    "cluster replicate",
    "cluster reset",
    "cluster saveconfig",
    "cluster set-config-epoch",
    "cluster setslot",
    "config resetstat",
    "config rewrite",
    "config set",
    "debug",
    "discard",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "exec",
    "failover",
    "fcall",
    "fcall_ro",
    "flushall",
    "flushdb",
    "function",
    "hello",
    "latency reset",
    "migrate",
    "module",
    "monitor",
    "multi",
    "psubscribe",
    "psync",
    "punsubscribe",
    "quit",
    "readonly",
    "readwrite",
    "replconf",
    "replicaof",
    "reset",
    "restore",
    "restore-asking",
    "save",
    "script",
    "select",
    "shutdown",
    "slaveof",
    "slowlog reset",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "swapdb",
    "sync",
    "unsubscribe",
    "unwatch",
    "wait",
    "waitaof",
    "watch",
    "xread",
    "xreadgroup",
};

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class ReplyReader {
 public:
  ReplyReader(std::string_view bytes, const ReplyLimits& limits) : rest_(bytes), limits_(limits) {}

  std::string_view rest() const { return rest_; }

  Result<std::optional<NodeReply>> read(size_t depth) {
    if (depth > limits_.depth || ++items_ > limits_.items)
      return refuse("bad_gateway", "the node's reply is too large");
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    if (end == 0) return refuse("bad_gateway", "the node's reply is no RESP");
    NodeReply reply{.type = rest_.front()};
    const std::string_view line = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 2);
    switch (reply.type) {
      case '+':
      case '-':
      case ':': reply.text = std::string(line); return reply;
      case '$': return bulk(std::move(reply), number_of(line));
      case '*': return array(std::move(reply), number_of(line), depth);
      default: return refuse("bad_gateway", "the node's reply is no RESP");
    }
  }

 private:
  Result<std::optional<NodeReply>> bulk(NodeReply reply, std::optional<int64_t> size) {
    if (size == -1) return reply;
    if (!size || *size < 0 || *size > static_cast<int64_t>(limits_.bytes)) {
      return refuse("bad_gateway", "the node's reply is no RESP, or too large");
    }
    const auto length = static_cast<size_t>(*size);
    if (rest_.size() < length + 2) return std::nullopt;
    if (rest_.substr(length, 2) != "\r\n") return refuse("bad_gateway", "the node's reply is no RESP");
    reply.text = std::string(rest_.substr(0, length));
    rest_.remove_prefix(length + 2);
    return reply;
  }

  Result<std::optional<NodeReply>> array(NodeReply reply, std::optional<int64_t> size, size_t depth) {
    if (size == -1) {
      reply.null_array = true;
      return reply;
    }
    if (!size || *size < 0 || *size > static_cast<int64_t>(limits_.items)) {
      return refuse("bad_gateway", "the node's reply is no RESP, or too large");
    }
    for (int64_t i = 0; i < *size; ++i) {
      auto item = read(depth + 1);
      if (!item || !*item) return item;
      reply.items.push_back(std::move(**item));
    }
    return reply;
  }

  std::string_view rest_;
  const ReplyLimits& limits_;
  size_t items_ = 0;
};

std::string encoded(const std::vector<std::string>& command) {
  std::string out = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& word : command) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

// One connection, until the deadline.
class Connection {
 public:
  Connection(std::string name, Clock::time_point deadline) : name_(std::move(name)), deadline_(deadline) {}

  Result<void> open(const net::SocketAddress& address) {
    fd_ = net::UniqueFd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_.valid()) return failed(errno);
    if (::connect(fd_.get(), address.get(), address.length) == 0) return {};
    if (errno != EINPROGRESS) return failed(errno);
    if (auto ready = wait(POLLOUT); !ready) return ready;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return failed(error);
    return {};
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno != EAGAIN && errno != EINTR) {
        return failed(errno);
      } else if (auto ready = wait(POLLOUT); !ready) {
        return ready;
      }
    }
    return {};
  }

  Result<NodeReply> receive() {
    const ReplyLimits limits;
    for (;;) {
      size_t used = 0;
      auto reply = parse_reply(got_, used, limits);
      if (!reply) return std::unexpected(reply.error());
      if (*reply) {
        got_.erase(0, used);
        return std::move(**reply);
      }
      if (got_.size() > 2 * limits.bytes) return refuse("bad_gateway", "the node's reply is too large");
      if (auto ready = wait(POLLIN); !ready) return std::unexpected(ready.error());
      char bytes[16 * 1024];
      const ssize_t size = ::recv(fd_.get(), bytes, sizeof bytes, 0);
      if (size == 0) return refuse("bad_gateway", "node " + name_ + " hung up");
      if (size > 0) got_.append(bytes, static_cast<size_t>(size));
      if (size < 0 && errno != EAGAIN && errno != EINTR) return std::unexpected(failed(errno).error());
    }
  }

 private:
  Result<void> wait(short events) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
      if (left.count() <= 0) return refuse("timeout", "node " + name_ + " did not answer in time");
      pollfd one{fd_.get(), events, 0};
      const int ready = ::poll(&one, 1, static_cast<int>(left.count()));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return failed(errno);
    }
  }

  std::unexpected<ApiError> failed(int error) const {
    return refuse("bad_gateway", "node " + name_ + ": " + std::strerror(error));
  }

  const std::string name_;
  const Clock::time_point deadline_;
  net::UniqueFd fd_;
  std::string got_;
};

}  // namespace

Result<std::optional<NodeReply>> parse_reply(std::string_view bytes, size_t& used, const ReplyLimits& limits) {
  ReplyReader reader(bytes, limits);
  auto reply = reader.read(0);
  used = reply && *reply ? bytes.size() - reader.rest().size() : 0;
  return reply;
}

std::string denied(const std::vector<std::string>& command) {
  if (command.empty() || command.front().empty()) return "there is no command";
  const std::string name = lower_case(command.front());
  const std::string pair = command.size() > 1 ? name + " " + lower_case(command[1]) : name;
  for (const std::string& one : {name, pair}) {
    if (std::ranges::find(kDenied, one) != std::end(kDenied)) return one + " may not be sent to a node this way";
  }
  return {};
}

Result<NodeReply> ask_node(const std::string& host, uint16_t port, const std::string& password,
                           const std::vector<std::string>& command, std::chrono::milliseconds time) {
  const auto address = net::numeric_address(host, port);
  if (!address) return refuse("bad_gateway", "the node's host is no address: " + address.error().message);
  Connection connection(net::to_string(*address), Clock::now() + time);
  if (auto opened = connection.open(*address); !opened) return std::unexpected(opened.error());
  if (!password.empty()) {
    if (auto sent = connection.send(encoded({"AUTH", password})); !sent) return std::unexpected(sent.error());
    const auto reply = connection.receive();
    if (!reply) return reply;
    if (reply->type == '-') return refuse("bad_gateway", "the node does not take its cluster's password");
  }
  if (auto sent = connection.send(encoded(command)); !sent) return std::unexpected(sent.error());
  return connection.receive();
}

}  // namespace overlord::api
