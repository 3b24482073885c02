#pragma once
// Words that all records of the platform share: kinds of caches, sizes of nodes, moments.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace overlord::model {

enum class CacheType : uint8_t { memcache, redis, redis_cluster };
inline constexpr std::array kCacheTypes{CacheType::memcache, CacheType::redis, CacheType::redis_cluster};
std::string_view to_string(CacheType type);  // "memcache", "redis", "redis_cluster"
std::optional<CacheType> cache_type(std::string_view text);

// What one node has. As text "1c2g", "0.25c512m": cores with at most three decimals, and MiB or GiB.
struct Spec {
  uint32_t cpu_milli = 0;
  uint32_t memory_mib = 0;
  bool operator==(const Spec&) const = default;
};
std::string to_string(const Spec& spec);
std::optional<Spec> spec(std::string_view text);  // nothing: not a spec, or none of either

enum class Role : uint8_t { master, replica };
std::string_view to_string(Role role);

// Milliseconds since 1970; 0: never.
using Moment = int64_t;
Moment now();
// RFC 3339 in UTC with milliseconds; empty for 0.
std::string to_text(Moment moment);

// "ip:port", "[ip6]:port"; the key of a node.
std::string address_of(std::string_view host, uint16_t port);
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
std::optional<HostPort> host_port(std::string_view address);

// 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit: clusters, groups, users.
bool valid_name(std::string_view name);
// "department.service" or deeper: names of letters, digits, '_' and '-' with dots between them, 128 at most.
bool valid_appid(std::string_view appid);

}  // namespace overlord::model
