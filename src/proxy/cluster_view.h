#pragma once
// ClusterView: the proxy (or a row of proxies) shown to cluster clients as a Redis Cluster whose masters are proxies.
// The slots are dealt out evenly; each proxy serves every key all the same, so a client that asks the wrong one is
// served too. Replies are in RESP2. Source: https://redis.io/commands, CLUSTER NODES, SLOTS, SHARDS, INFO.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/address.h"

namespace overlord::proxy {

class ClusterView {
 public:
  // proxies: not empty, kind tcp; self: index into it.
  ClusterView(const std::vector<config::Address>& proxies, size_t self);

  const std::string& id() const { return members_[self_].id; }
  void append_slots(std::string& out) const;
  void append_shards(std::string& out) const;
  std::string nodes_text() const;
  std::string info_text() const;

 private:
  struct Member {
    std::string host;
    uint16_t port;
    std::string id;  // 40 hexadecimal digits, always the same for an address
    int first;       // slot; behind last when there are more proxies than slots
    int last;
  };

  std::vector<Member> members_;
  size_t self_;
};

}  // namespace overlord::proxy
