#pragma once
// NodeTask: all that an executor must know to run one node. It is the data of a Mesos task and the body of a request to
// the local executor; the executor needs no access to the store.

#include <map>
#include <string>

#include "model/types.h"

namespace overlord::model {

struct NodeTask {
  std::string id{};  // task_id(node)
  std::string cluster{};
  std::string group{};  // whose resources it takes; empty: any of its host's
  CacheType type = CacheType::redis;
  std::string version{};
  std::string host{};  // address to bind to and to announce
  uint16_t port = 0;   // of a redis_cluster port + 10000 too
  Spec spec{};         // reserved for it; the server itself gets less (docs/platform.md)
  std::string password{};
  std::map<std::string, std::string> settings{};
  std::string nodes_conf{};   // redis_cluster: what a node without data of its own begins with
  bool wipe = false;          // a node that was never there: what lies in its folder is of another and goes first
  std::string file_server{};  // where the version is fetched from when the host has none; empty: nowhere
  std::string sha256{};
  std::string address() const { return address_of(host, port); }
  bool operator==(const NodeTask&) const = default;
};

std::string to_json(const NodeTask& task);

}  // namespace overlord::model
