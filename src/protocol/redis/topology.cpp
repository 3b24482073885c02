#include "protocol/redis/topology.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "protocol/redis/length_line.h"

namespace overlord::redis {
namespace {

constexpr int64_t kSlotCount = 16384;
constexpr size_t kMostNodes = 4096;
constexpr size_t kMostRanges = 16384;
constexpr int kMostDepth = 8;

// Walks the values of one reply that is whole. After the first value that is not as expected everything fails.
class Values {
 public:
  explicit Values(std::string_view bytes) : rest_(bytes) {}

  // An array, a set or a map (twice its pairs); a null counts as empty.
  bool list(size_t& count) {
    std::string_view line;
    char type = 0;
    int64_t number = 0;
    if (!head(type, line)) return false;
    if (type == '_') return count = 0, true;
    if ((type != '*' && type != '~' && type != '%') || !parse_number(line, number) || number < -1) return bad();
    count = number < 0 ? 0 : static_cast<size_t>(number);
    if (type == '%') count *= 2;
    // Each value takes at least three bytes.
    return count <= rest_.size() / 3 ? true : bad();
  }

  bool integer(int64_t& number) {
    std::string_view line;
    char type = 0;
    if (!head(type, line)) return false;
    return type == ':' && parse_number(line, number) ? true : bad();
  }

  // nullopt: null.
  bool text(std::optional<std::string_view>& out) {
    std::string_view line;
    char type = 0;
    if (!head(type, line)) return false;
    if (type == '+') return out = line, true;
    if (type == '_') return out = std::nullopt, true;
    int64_t size = 0;
    if ((type != '$' && type != '=') || !parse_number(line, size) || size < -1) return bad();
    if (size == -1) return out = std::nullopt, true;
    const auto length = static_cast<size_t>(size);
    if (rest_.size() < 2 || length > rest_.size() - 2) return bad();
    std::string_view body = rest_.substr(0, length);
    rest_.remove_prefix(length + 2);
    if (type == '=' && body.size() >= 4) body.remove_prefix(4);  // "txt:"
    return out = body, true;
  }

  bool skip(int depth = 0) {
    if (depth > kMostDepth || rest_.empty()) return bad();
    switch (rest_[0]) {
      case '*':
      case '~':
      case '%': {
        size_t count = 0;
        if (!list(count)) return false;
        while (count-- > 0) {
          if (!skip(depth + 1)) return false;
        }
        return true;
      }
      case '$':
      case '=': {
        std::optional<std::string_view> ignored;
        return text(ignored);
      }
      default: {
        std::string_view line;
        char type = 0;
        return head(type, line);
      }
    }
  }

 private:
  bool head(char& type, std::string_view& line) {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos || end == 0) return bad();
    type = rest_[0];
    line = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 2);
    return true;
  }
  bool bad() {
    rest_ = {};
    return false;
  }

  std::string_view rest_;
};

// The host to use, of what a node says of itself; empty: it cannot be reached by what is known.
std::string_view host_of(const std::optional<std::string_view>& endpoint, std::string_view ip, std::string_view asked) {
  if (endpoint && *endpoint == "?") return is_host(ip) ? ip : std::string_view();
  if (!endpoint || endpoint->empty()) return asked;
  return is_host(*endpoint) ? *endpoint : std::string_view();
}

// Port 0, or none, is a node whose address the server does not know (any more): one that came back as another node is
// remembered like that until it is forgotten, with its slots.
bool set_port(TopologyNode& node, int64_t port) {
  if (port < 0 || port > 65535) return false;
  if (port == 0) node.host.clear();
  node.port = static_cast<uint16_t>(port);
  return true;
}

// Counts what all parts of a reply make together.
class Bounds {
 public:
  bool node() { return ++nodes_ <= kMostNodes; }
  bool range(int64_t first, int64_t last) {
    return first >= 0 && first <= last && last < kSlotCount && ++ranges_ <= kMostRanges;
  }

 private:
  size_t nodes_ = 0;
  size_t ranges_ = 0;
};

// CLUSTER SHARDS

struct ShardNode {
  TopologyNode node;
  bool master = false;
};

bool read_shard_node(Values& values, std::string_view asked, ShardNode& out) {
  size_t count = 0;
  if (!values.list(count) || count % 2 != 0) return false;
  std::optional<std::string_view> endpoint;
  std::optional<std::string_view> ip;
  int64_t port = 0;
  int64_t tls_port = 0;
  for (; count > 0; count -= 2) {
    std::optional<std::string_view> field;
    std::optional<std::string_view> value;
    int64_t number = 0;
    if (!values.text(field)) return false;
    if (field == "port") {
      if (!values.integer(port)) return false;
    } else if (field == "tls-port") {
      if (!values.integer(tls_port)) return false;
    } else if (field == "replication-offset") {
      if (!values.integer(number)) return false;
      out.node.offset = number < 0 ? 0 : static_cast<uint64_t>(number);
    } else if (field == "ip") {
      if (!values.text(ip)) return false;
    } else if (field == "endpoint") {
      if (!values.text(endpoint)) return false;
    } else if (field == "role") {
      if (!values.text(value)) return false;
      out.master = value == "master";
    } else if (field == "health") {
      if (!values.text(value)) return false;
      out.node.healthy = value == "online";
    } else if (!values.skip()) {
      return false;
    }
  }
  out.node.host = host_of(endpoint, ip.value_or(""), asked);
  return set_port(out.node, port != 0 ? port : tls_port);
}

// Of several masters (one that failed and its heir) the one that is well comes first.
void add_shard(Topology& topology, std::vector<SlotRange> slots, std::vector<ShardNode> nodes) {
  std::erase_if(nodes, [](const ShardNode& n) { return n.node.host.empty(); });
  const auto better = [](const ShardNode& a, const ShardNode& b) {
    return std::pair(a.master, a.node.healthy) > std::pair(b.master, b.node.healthy);
  };
  std::stable_sort(nodes.begin(), nodes.end(), better);
  if (nodes.empty() || !nodes.front().master) return;
  TopologyShard& shard = topology.shards.emplace_back();
  shard.slots = std::move(slots);
  shard.master = std::move(nodes.front().node);
  for (size_t i = 1; i < nodes.size(); ++i) {
    if (!nodes[i].master) shard.replicas.push_back(std::move(nodes[i].node));
  }
}

bool read_shards(Values& values, std::string_view asked, Topology& topology) {
  Bounds bounds;
  size_t shards = 0;
  if (!values.list(shards)) return false;
  for (; shards > 0; --shards) {
    size_t fields = 0;
    if (!values.list(fields) || fields % 2 != 0) return false;
    std::vector<SlotRange> slots;
    std::vector<ShardNode> nodes;
    for (; fields > 0; fields -= 2) {
      std::optional<std::string_view> field;
      size_t count = 0;
      if (!values.text(field)) return false;
      if (field == "slots") {
        if (!values.list(count) || count % 2 != 0) return false;
        for (; count > 0; count -= 2) {
          int64_t first = 0;
          int64_t last = 0;
          if (!values.integer(first) || !values.integer(last) || !bounds.range(first, last)) return false;
          slots.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
        }
      } else if (field == "nodes") {
        if (!values.list(count)) return false;
        for (; count > 0; --count) {
          if (!bounds.node() || !read_shard_node(values, asked, nodes.emplace_back())) return false;
        }
      } else if (!values.skip()) {
        return false;
      }
    }
    add_shard(topology, std::move(slots), std::move(nodes));
  }
  return true;
}

// CLUSTER SLOTS

// [host, port, id, [name, value, ...]]: what comes behind the port depends on the version.
bool read_slots_node(Values& values, std::string_view asked, TopologyNode& node) {
  size_t count = 0;
  std::optional<std::string_view> endpoint;
  std::string_view ip;
  int64_t port = 0;
  if (!values.list(count) || count < 2 || !values.text(endpoint) || !values.integer(port)) return false;
  for (size_t i = 2; i < count; ++i) {
    if (i != 3) {
      if (!values.skip()) return false;
      continue;
    }
    size_t fields = 0;
    if (!values.list(fields)) return false;
    for (; fields >= 2; fields -= 2) {
      std::optional<std::string_view> name;
      std::optional<std::string_view> value;
      if (!values.text(name) || !values.text(value)) return false;
      if (name == "ip") ip = value.value_or("");
    }
    if (fields != 0 && !values.skip()) return false;
  }
  node.host = host_of(endpoint, ip, asked);
  return set_port(node, port);
}

// Each range names its nodes again: the ranges of one master become one shard.
class ShardsByMaster {
 public:
  explicit ShardsByMaster(Topology& topology) : topology_(topology) {}
  TopologyShard& of(const TopologyNode& master) {
    const auto [at, fresh] = index_.try_emplace({master.host, master.port}, topology_.shards.size());
    if (fresh) topology_.shards.emplace_back().master = master;
    return topology_.shards[at->second];
  }

 private:
  Topology& topology_;
  std::map<std::pair<std::string, uint16_t>, size_t> index_;
};

bool read_slots(Values& values, std::string_view asked, Topology& topology) {
  ShardsByMaster shards(topology);
  size_t ranges = 0;
  Bounds bounds;
  if (!values.list(ranges)) return false;
  for (; ranges > 0; --ranges) {
    size_t count = 0;
    int64_t first = 0;
    int64_t last = 0;
    if (!values.list(count) || count < 2 || !values.integer(first) || !values.integer(last)) return false;
    if (!bounds.range(first, last)) return false;
    TopologyShard* shard = nullptr;
    for (size_t i = 2; i < count; ++i) {
      TopologyNode node;
      if (!read_slots_node(values, asked, node)) return false;
      if (node.host.empty()) {
        if (i == 2) break;  // the master cannot be reached, so its slots are not known
        continue;
      }
      if (i == 2) {
        shard = &shards.of(node);
        shard->slots.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
        continue;
      }
      const auto same = [&](const TopologyNode& other) { return other.host == node.host && other.port == node.port; };
      if (std::none_of(shard->replicas.begin(), shard->replicas.end(), same)) {
        if (!bounds.node()) return false;
        shard->replicas.push_back(std::move(node));
      }
    }
    // The rest of a range whose master is unknown.
    if (shard == nullptr && count > 3) {
      for (size_t i = 3; i < count; ++i) {
        if (!values.skip()) return false;
      }
    }
  }
  return true;
}

// CLUSTER NODES

std::string_view take_field(std::string_view& line, char end = ' ') {
  const size_t at = line.find(end);
  const std::string_view field = line.substr(0, at);
  line.remove_prefix(at == std::string_view::npos ? line.size() : at + 1);
  return field;
}

bool has_flag(std::string_view flags, std::string_view wanted) {
  while (!flags.empty()) {
    if (take_field(flags, ',') == wanted) return true;
  }
  return false;
}

// "ip:port@cport,hostname"; cport and hostname depend on the version.
bool read_place(std::string_view text, std::string_view asked, TopologyNode& node) {
  const std::string_view place = text.substr(0, text.find_first_of("@,"));
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return false;
  int64_t port = 0;
  if (!parse_number(place.substr(colon + 1), port) || port < 0) return false;
  node.host = host_of(place.substr(0, colon), {}, asked);
  return set_port(node, port);
}

bool read_range(std::string_view text, Bounds& bounds, std::vector<SlotRange>& out) {
  if (text.starts_with('[')) return true;  // a slot that is moving: its owner's line has it as well
  int64_t first = 0;
  int64_t last = 0;
  const size_t dash = text.find('-');
  if (!parse_number(text.substr(0, dash), first)) return false;
  last = first;
  if (dash != std::string_view::npos && !parse_number(text.substr(dash + 1), last)) return false;
  if (!bounds.range(first, last)) return false;
  out.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
  return true;
}

bool read_nodes(Values& values, std::string_view asked, Topology& topology) {
  std::optional<std::string_view> text;
  if (!values.text(text) || !text) return false;
  std::map<std::string_view, size_t> by_id;
  std::vector<std::pair<std::string_view, TopologyNode>> replicas;  // with the id of the master
  Bounds bounds;
  while (!text->empty()) {
    std::string_view line = take_field(*text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string_view id = take_field(line);
    const std::string_view place = take_field(line);
    const std::string_view flags = take_field(line);
    const std::string_view master = take_field(line);
    for (int i = 0; i < 4; ++i) (void)take_field(line);  // ping, pong, epoch, link
    TopologyNode node;
    if (!bounds.node() || flags.empty() || !read_place(place, asked, node)) return false;
    if (has_flag(flags, "handshake") || has_flag(flags, "noaddr") || node.host.empty()) continue;
    node.healthy = !has_flag(flags, "fail") && !has_flag(flags, "fail?");
    if (has_flag(flags, "master")) {
      by_id[id] = topology.shards.size();
      TopologyShard& shard = topology.shards.emplace_back();
      shard.master = std::move(node);
      while (!line.empty()) {
        const std::string_view range = take_field(line);
        if (!range.empty() && !read_range(range, bounds, shard.slots)) return false;
      }
    } else if (has_flag(flags, "slave") || has_flag(flags, "replica")) {
      replicas.emplace_back(master, std::move(node));
    }
  }
  for (auto& [id, node] : replicas) {
    if (const auto found = by_id.find(id); found != by_id.end()) {
      topology.shards[found->second].replicas.push_back(std::move(node));
    }
  }
  return true;
}

}  // namespace

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '%';
  });
}

std::string_view topology_command(TopologyQuestion question) {
  switch (question) {
    case TopologyQuestion::shards: return "*2\r\n$7\r\nCLUSTER\r\n$6\r\nSHARDS\r\n";
    case TopologyQuestion::slots: return "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n";
    case TopologyQuestion::nodes: return "*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n";
  }
  return {};
}

bool is_unknown_question(std::string_view reply) {
  // 7.0: "unknown subcommand"; before: "Unknown subcommand or wrong number of arguments"; others: "syntax error".
  return reply.starts_with("-ERR") &&
         (reply.find("nknown subcommand") != std::string_view::npos ||
          reply.find("syntax error") != std::string_view::npos || reply.find("rong CLUSTER") != std::string_view::npos);
}

Result<Topology> parse_topology(TopologyQuestion question, std::string_view reply, std::string_view asked) {
  Topology topology;
  if (reply.starts_with('-')) return fail(std::string(reply.substr(1, reply.find('\r') - 1)));
  Values values(reply);
  const bool good = question == TopologyQuestion::shards  ? read_shards(values, asked, topology)
                    : question == TopologyQuestion::slots ? read_slots(values, asked, topology)
                                                          : read_nodes(values, asked, topology);
  if (!good) return fail("not the answer to the question for the cluster's nodes");
  if (topology.shards.empty()) return fail("the answer names no master");
  return topology;
}

}  // namespace overlord::redis
