#include "access/acl_log.h"

#include <array>
#include <charconv>

#include "protocol/redis/writer.h"

namespace overlord::access {
namespace {

constexpr int64_t kAlike = 60'000;  // milliseconds
constexpr int kLooks = 10;          // entries that are compared

}  // namespace

AclLog::Entry& AclLog::find_or_add(std::string_view reason, std::string_view context, std::string_view object,
                                   std::string_view user, int64_t now) {
  int looks = kLooks;
  for (auto at = entries_.begin(); at != entries_.end() && looks > 0; ++at, --looks) {
    if (at->reason != reason || at->context != context || at->object != object || at->user != user ||
        now - at->time > kAlike) {
      continue;
    }
    entries_.splice(entries_.begin(), entries_, at);
    return entries_.front();
  }
  if (entries_.size() >= kMaxEntries) entries_.pop_back();
  return entries_.emplace_front(Entry{.reason = reason,
                                      .context = context,
                                      .object = std::string(object),
                                      .user = std::string(user),
                                      .client = 0,
                                      .client_info = {},
                                      .count = 0,
                                      .time = now});
}

void append_entry(std::string& out, const AclLog::Entry& entry, int64_t now) {
  const auto field = [&out](std::string_view name, std::string_view value) {
    redis::append_bulk(out, name);
    redis::append_bulk(out, value);
  };
  redis::append_array_header(out, 14);
  redis::append_bulk(out, "count");
  redis::append_integer(out, static_cast<int64_t>(entry.count));
  field("reason", entry.reason);
  field("context", entry.context);
  field("object", entry.object);
  field("username", entry.user);
  std::array<char, 64> age{};
  const auto [end, failed] =
      std::to_chars(age.data(), age.data() + age.size(), static_cast<double>(now - entry.time) / 1000,
                    std::chars_format::general, 17);
  field("age-seconds", failed == std::errc{} ? std::string_view(age.data(), end) : std::string_view("0"));
  field("client-info", entry.client_info);
}

}  // namespace overlord::access
