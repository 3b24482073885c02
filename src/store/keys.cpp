#include "store/keys.h"

#include <algorithm>

namespace overlord::store::keys {
namespace {

constexpr size_t kLongestPart = 128;

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-:[]").find(c) != std::string_view::npos;
}

}  // namespace

bool valid_part(std::string_view part) {
  return !part.empty() && part.size() <= kLongestPart && part != "." && part != ".." &&
         std::ranges::all_of(part, allowed);
}

std::string ordered(uint64_t number) {
  const std::string digits = std::to_string(number);  // 20 at most
  return std::string(20 - digits.size(), '0') + digits;
}

std::string of(std::string_view prefix, std::string_view part) { return std::string(prefix).append(part); }

std::string of(std::string_view prefix, std::string_view part, std::string_view below) {
  return of(prefix, part).append("/").append(below);
}

std::string job(std::string_view group, uint64_t number) { return of(kJobs, group, ordered(number)); }
std::string cluster(std::string_view name) { return of(kClusters, name, ""); }
std::string cluster_info(std::string_view name) { return of(kClusters, name, "info"); }
std::string cluster_front_port(std::string_view name) { return of(kClusters, name, "fe-port"); }
std::string cluster_appid(std::string_view name, std::string_view appid) {
  return of(kClusters, name, of("appids/", appid));
}
std::string cluster_instance(std::string_view name, uint64_t alias) {
  return of(kClusters, name, of("instances/", ordered(alias)));
}
std::string instance(std::string_view address) { return of(kInstances, address, "info"); }
std::string instance_state(std::string_view address) { return of(kInstances, address, "state"); }

}  // namespace overlord::store::keys
