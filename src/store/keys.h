#pragma once
// The platform's keys in the store; what stands at each is in docs/store.md. Names come from users: what may not be a
// part of a key is refused at the door (valid_part), so that nobody's name reaches into another's keys.

#include <cstdint>
#include <string>
#include <string_view>

namespace overlord::store::keys {

inline constexpr std::string_view kRoot = "/overlord/";
inline constexpr std::string_view kFramework = "/overlord/framework";
inline constexpr std::string_view kFileServer = "/overlord/fs";
inline constexpr std::string_view kPortSequence = "/overlord/port_sequence";

// Prefixes: all records of a kind begin with one of them.
inline constexpr std::string_view kAppids = "/overlord/appids/";
inline constexpr std::string_view kAudit = "/overlord/audit/";
inline constexpr std::string_view kClusters = "/overlord/clusters/";
inline constexpr std::string_view kHeartbeats = "/overlord/heartbeat/";
inline constexpr std::string_view kHosts = "/overlord/hosts/";
inline constexpr std::string_view kInstances = "/overlord/instances/";
inline constexpr std::string_view kJobs = "/overlord/jobs/";
inline constexpr std::string_view kLeaders = "/overlord/leader/";
inline constexpr std::string_view kProxies = "/overlord/proxies/";
inline constexpr std::string_view kSequences = "/overlord/sequences/";
inline constexpr std::string_view kSpecs = "/overlord/specs/";
inline constexpr std::string_view kTokens = "/overlord/tokens/";
inline constexpr std::string_view kUsers = "/overlord/users/";
inline constexpr std::string_view kVersions = "/overlord/versions/";

// A name that may stand between two slashes: 1 to 128 letters, digits and . _ - : [ ] (an address is one), and neither
// "." nor "..".
bool valid_part(std::string_view part);

// Of a number that orders: 20 digits, so that keys sort as the numbers do.
std::string ordered(uint64_t number);

std::string of(std::string_view prefix, std::string_view part);
std::string of(std::string_view prefix, std::string_view part, std::string_view below);

// "/overlord/jobs/<group>/<20 digits>"; users see "<group>.<20 digits>".
std::string job(std::string_view group, uint64_t number);
// Everything about a cluster: its prefix, for lists, watches and removal.
std::string cluster(std::string_view name);
std::string cluster_info(std::string_view name);
std::string cluster_front_port(std::string_view name);
std::string cluster_appid(std::string_view name, std::string_view appid);
std::string cluster_instance(std::string_view name, uint64_t alias);
std::string instance(std::string_view address);
std::string instance_state(std::string_view address);

}  // namespace overlord::store::keys
