#pragma once
// Probe: asks a node in its own protocol whether it serves, without ever waiting: its supervisor polls the descriptor and
// calls advance(). One connection is kept from probe to probe, so nothing is left behind at the node.
//
//   redis          AUTH, PING              any answer but one about the password is a sign of life
//   redis_cluster  AUTH, PING, CLUSTER INFO: its state is part of the finding, and no reason to call the node sick
//   memcache       version                 with a password: a set of it before, as memcached takes it

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/task.h"
#include "net/socket.h"

namespace overlord::executor {

using Clock = std::chrono::steady_clock;

struct Finding {
  enum class What : uint8_t {
    alive,
    loading,  // answers that it is reading its data
    closed,   // nobody listens, or the connection broke
    silent,   // no answer in time
    wrong,    // an answer that this node would not give: a stranger, or another password
  };
  What what = What::closed;
  std::string text{};  // in words; of one that is alive: what there is to say, like the state of its cluster
};

class Probe {
 public:
  explicit Probe(const model::NodeTask& task);

  // Asks; the answer comes from advance(). Nothing when it is being asked already.
  void begin(Clock::time_point now, std::chrono::milliseconds patience);
  bool busy() const { return busy_; }
  pollfd wish() const;  // while busy
  Clock::time_point deadline() const { return deadline_; }
  // The finding, once there is one; then it is not busy any more.
  std::optional<Finding> advance(Clock::time_point now);
  // Closes the connection: the node is another process now.
  void drop();

 private:
  Finding end(Finding finding);
  std::optional<Finding> send();
  std::optional<Finding> receive();
  std::optional<Finding> read_redis();
  std::optional<Finding> read_memcached();
  bool take_reply(std::string& reply);

  const model::CacheType type_;
  const std::string host_;
  const uint16_t port_;
  std::string login_;  // sent first on a new connection
  std::string question_;
  net::UniqueFd fd_;
  bool busy_ = false;
  bool connecting_ = false;
  bool logged_in_ = false;
  size_t expected_ = 0;  // replies of this probe
  std::vector<std::string> replies_;
  std::string out_;
  std::string in_;
  Clock::time_point deadline_{};
};

}  // namespace overlord::executor
