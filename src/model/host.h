#pragma once
// Hosts that nodes run on, and the versions of servers that they can run.

#include <map>
#include <string>
#include <vector>

#include "model/types.h"

namespace overlord::model {

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;  // inclusive
  bool operator==(const PortRange&) const = default;
};

// As the engine reported it last, and what operators said of it.
struct Host {
  std::string name{};  // its address, which its nodes bind to
  std::string group{};
  std::map<std::string, std::string> labels{};  // "zone" and "rack" count for placement
  Spec capacity{};                              // all of it, used or not
  std::vector<PortRange> ports{};
  bool draining = false;  // takes no new nodes
  bool lost = false;      // the engine has not heard of it for long
  Moment seen = 0;
  bool operator==(const Host&) const = default;
};

struct Version {
  CacheType type = CacheType::redis;
  std::string version{};
  std::string sha256{};  // of its archive on the file server; empty: installed on the hosts, or not checked
  bool operator==(const Version&) const = default;
};

std::string to_json(const Host& host);
std::string to_json(const Version& version);

}  // namespace overlord::model
