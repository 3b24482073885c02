#pragma once
// Names of the ACL categories, in the order of the bits of AclCategory.

#include <array>
#include <cstddef>
#include <string_view>

#include "protocol/redis/command_lookup.h"

namespace overlord::redis {

inline constexpr std::array<std::string_view, 21> kAclNames = {
    "@keyspace", "@read",   "@write",       "@set",       "@sortedset",  "@list",        "@hash",
    "@string",   "@bitmap", "@hyperloglog", "@geo",       "@stream",     "@pubsub",      "@admin",
    "@fast",     "@slow",   "@blocking",    "@dangerous", "@connection", "@transaction", "@scripting"};

// name without '@'; 0 when there is no such category.
inline uint32_t acl_category(std::string_view name) {
  for (size_t i = 0; i < kAclNames.size(); ++i) {
    if (equals_lower(name, kAclNames[i].substr(1))) return 1u << i;
  }
  return 0;
}

}  // namespace overlord::redis
