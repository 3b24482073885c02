#pragma once
// Admin: what the platform asks of redis nodes. redis_admin.h has the one that speaks to servers; tests have another.
//
// Every call ends within seconds. An error means that it is not known whether a change was made; all changes may be
// asked for again. One thread at a time.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "placement/slots.h"

namespace overlord::redisctl {

using placement::SlotRange;

struct Endpoint {
  std::string host;
  uint16_t port = 0;
  std::string password{};  // empty: none
};

// A line of CLUSTER NODES: what one node knows of another, or of itself.
struct ClusterNode {
  std::string id;
  std::string host;
  uint16_t port = 0;
  bool myself = false;
  bool master = false;
  bool failed = false;     // the cluster agrees on it
  bool suspected = false;  // this node alone cannot reach it
  bool handshake = false;  // not met yet
  std::string master_id{};
  uint64_t epoch = 0;
  bool connected = false;
  std::vector<SlotRange> slots{};               // ascending; those being moved are among them
  std::map<uint16_t, std::string> migrating{};  // slot, to whom; of `myself` alone
  std::map<uint16_t, std::string> importing{};  // slot, from whom
  bool operator==(const ClusterNode&) const = default;
};
using Topology = std::vector<ClusterNode>;

// CLUSTER NODES as text. Hostnames behind a comma are passed over.
Result<Topology> parse_topology(std::string_view text);

const ClusterNode* find(const Topology& topology, std::string_view id);
const ClusterNode* myself(const Topology& topology);

struct ClusterInfo {
  bool ok = false;  // cluster_state
  uint32_t slots_ok = 0;
  uint32_t known_nodes = 0;
  bool operator==(const ClusterInfo&) const = default;
};

// Of INFO: replication, persistence.
struct NodeInfo {
  bool master = true;
  bool link_up = false;  // of a replica: to its master, and the first copy is done
  bool loading = false;
  uint64_t offset = 0;  // of replication
  std::string version{};
  bool operator==(const NodeInfo&) const = default;
};

enum class Failover : uint8_t { agreed, force };  // with the master's help, or without
enum class SlotMark : uint8_t { migrating, importing, node, stable };

class Admin {
 public:
  virtual ~Admin() = default;

  virtual Result<Topology> topology(const Endpoint& at) = 0;
  virtual Result<ClusterInfo> cluster_info(const Endpoint& at) = 0;
  virtual Result<NodeInfo> info(const Endpoint& at) = 0;
  virtual Result<void> meet(const Endpoint& at, const std::string& host, uint16_t port) = 0;
  // Of a node that is unknown there: no error.
  virtual Result<void> forget(const Endpoint& at, const std::string& id) = 0;
  virtual Result<void> replicate(const Endpoint& at, const std::string& master_id) = 0;
  // At the replica that is to be the master. Asked of a master: no error.
  virtual Result<void> failover(const Endpoint& at, Failover how) = 0;
  // CLUSTER SETSLOT for each of them, in one go; `id` is not used with `stable`. Some may be done when it fails.
  virtual Result<void> mark_slots(const Endpoint& at, std::span<const uint16_t> slots, SlotMark mark,
                                  const std::string& id) = 0;
  // How many keys of a slot a node has.
  virtual Result<uint64_t> count_keys(const Endpoint& at, uint16_t slot) = 0;
  // Moves keys of the slot, so many at most; how many there were to move. What the other has of a key is replaced.
  virtual Result<uint64_t> move_keys(const Endpoint& from, const Endpoint& to, uint16_t slot, uint32_t most) = 0;
  virtual Result<void> config_set(const Endpoint& at, const std::map<std::string, std::string>& settings) = 0;
};

}  // namespace overlord::redisctl
