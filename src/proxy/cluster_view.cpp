#include "proxy/cluster_view.h"

#include "hashing/md5.h"
#include "hashing/slot.h"
#include "protocol/redis/writer.h"

namespace overlord::proxy {
namespace {

constexpr int kBusOffset = 10000;  // as servers choose the port of their cluster bus
constexpr int kHighestPort = 65535;

void append_hex(std::string& out, std::string_view text, size_t words) {
  const hashing::Md5Digest digest = hashing::md5(text);
  for (size_t i = 0; i < words; ++i) {
    for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[digest[i] >> shift & 15];
  }
}

std::string node_id(const std::string& address) {
  std::string id;
  append_hex(id, address, 4);
  append_hex(id, "id of " + address, 1);
  return id;
}

}  // namespace

ClusterView::ClusterView(const std::vector<config::Address>& proxies, size_t self) : self_(self) {
  const size_t count = proxies.size();
  for (size_t i = 0; i < count; ++i) {
    const config::Address& address = proxies[i];
    members_.push_back({address.host, address.port, node_id(config::to_string(address)),
                        static_cast<int>(hashing::kSlots * i / count),
                        static_cast<int>(hashing::kSlots * (i + 1) / count) - 1});
  }
}

void ClusterView::append_slots(std::string& out) const {
  size_t owners = 0;
  for (const Member& m : members_) owners += m.first <= m.last ? 1 : 0;
  redis::append_array_header(out, owners);
  for (const Member& m : members_) {
    if (m.first > m.last) continue;
    redis::append_array_header(out, 3);
    redis::append_integer(out, m.first);
    redis::append_integer(out, m.last);
    redis::append_array_header(out, 4);
    redis::append_bulk(out, m.host);
    redis::append_integer(out, m.port);
    redis::append_bulk(out, m.id);
    redis::append_array_header(out, 0);
  }
}

void ClusterView::append_shards(std::string& out) const {
  redis::append_array_header(out, members_.size());
  for (const Member& m : members_) {
    redis::append_array_header(out, 4);
    redis::append_bulk(out, "slots");
    redis::append_array_header(out, m.first <= m.last ? 2 : 0);
    if (m.first <= m.last) {
      redis::append_integer(out, m.first);
      redis::append_integer(out, m.last);
    }
    redis::append_bulk(out, "nodes");
    redis::append_array_header(out, 1);
    redis::append_array_header(out, 14);
    redis::append_bulk(out, "id");
    redis::append_bulk(out, m.id);
    redis::append_bulk(out, "port");
    redis::append_integer(out, m.port);
    redis::append_bulk(out, "ip");
    redis::append_bulk(out, m.host);
    redis::append_bulk(out, "endpoint");
    redis::append_bulk(out, m.host);
    redis::append_bulk(out, "role");
    redis::append_bulk(out, "master");
    redis::append_bulk(out, "replication-offset");
    redis::append_integer(out, 0);
    redis::append_bulk(out, "health");
    redis::append_bulk(out, "online");
  }
}

std::string ClusterView::nodes_text() const {
  std::string out;
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& m = members_[i];
    const int bus = m.port + kBusOffset <= kHighestPort ? m.port + kBusOffset : m.port;
    out += m.id + " " + m.host + ":" + std::to_string(m.port) + "@" + std::to_string(bus);
    out += i == self_ ? " myself,master" : " master";
    out += " - 0 0 " + std::to_string(i + 1) + " connected";
    if (m.first <= m.last) out += " " + std::to_string(m.first) + "-" + std::to_string(m.last);
    out += "\n";
  }
  return out;
}

std::string ClusterView::info_text() const {
  const std::string count = std::to_string(members_.size());
  return "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n"
         "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:" +
         count + "\r\ncluster_size:" + count + "\r\ncluster_current_epoch:" + count +
         "\r\ncluster_my_epoch:" + std::to_string(self_ + 1) +
         "\r\ncluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
         "total_cluster_links_buffer_limit_exceeded:0\r\n";
}

}  // namespace overlord::proxy
