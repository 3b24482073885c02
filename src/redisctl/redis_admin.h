#pragma once
// RedisAdmin: Admin over connections to real servers, redis 4 to 7.2. A connection is kept for the next call; whatever is
// unusual about one closes it. Passwords appear in no error.

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "redisctl/admin.h"

struct redisContext;  // NOLINT(readability-identifier-naming): as hiredis calls it

namespace overlord::redisctl {

struct RedisAdminOptions {
  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds timeout{2000};            // of an answer
  std::chrono::milliseconds migrate_timeout{10'000};  // of MIGRATE, which the server itself bounds by less
  size_t most_connections = 256;                      // kept open; the one not used for longest goes first
};

class RedisAdmin : public Admin {
 public:
  explicit RedisAdmin(const RedisAdminOptions& options = {});
  ~RedisAdmin() override;
  RedisAdmin(const RedisAdmin&) = delete;
  RedisAdmin& operator=(const RedisAdmin&) = delete;

  Result<Topology> topology(const Endpoint& at) override;
  Result<ClusterInfo> cluster_info(const Endpoint& at) override;
  Result<NodeInfo> info(const Endpoint& at) override;
  Result<void> meet(const Endpoint& at, const std::string& host, uint16_t port) override;
  Result<void> forget(const Endpoint& at, const std::string& id) override;
  Result<void> replicate(const Endpoint& at, const std::string& master_id) override;
  Result<void> failover(const Endpoint& at, Failover how) override;
  Result<void> mark_slots(const Endpoint& at, std::span<const uint16_t> slots, SlotMark mark,
                          const std::string& id) override;
  Result<uint64_t> count_keys(const Endpoint& at, uint16_t slot) override;
  Result<uint64_t> move_keys(const Endpoint& from, const Endpoint& to, uint16_t slot, uint32_t most) override;
  Result<void> config_set(const Endpoint& at, const std::map<std::string, std::string>& settings) override;

 private:
  struct Close {
    void operator()(redisContext* context) const;
  };
  using Context = std::unique_ptr<redisContext, Close>;
  struct Kept {
    Context context;
    uint64_t used = 0;
  };
  using Command = std::vector<std::string>;

  Result<redisContext*> connection(const Endpoint& at);
  // The answers to some commands that are sent in one go, as text; the first error of the server is one of all.
  Result<std::vector<std::string>> ask_all(const Endpoint& at, const std::vector<Command>& commands,
                                           std::chrono::milliseconds timeout);
  Result<std::string> ask(const Endpoint& at, const Command& command);
  Result<void> tell(const Endpoint& at, const Command& command);
  // The elements of an array.
  Result<std::vector<std::string>> list(const Endpoint& at, const Command& command);
  void drop(const Endpoint& at);

  const RedisAdminOptions options_;
  std::map<std::string, Kept> connections_;
  uint64_t uses_ = 0;
};

}  // namespace overlord::redisctl
