#pragma once
// What is said to etcd's JSON gateway and what it answers: requests made, answers read. No I/O.
//
// The gateway is the mapping of protobuf to JSON: bytes are base64, 64-bit numbers are strings, and fields that have
// their default are left out. Answers come from outside: whatever they hold, reading one gives a value or nothing.
// Their size is bounded by who receives them (kMaxAnswer).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace overlord::store::etcd {

// Bytes of an answer, or of one message of a watch.
inline constexpr size_t kMaxAnswer = 16 * 1024 * 1024;

// Requests. The end of a range as prefix_end() gives it: empty means all keys from `begin` on; for one key see get_request.
std::string get_request(std::string_view key, Revision at);
std::string list_request(std::string_view begin, std::string_view end, size_t limit, Revision at, bool keys_only);
std::string commit_request(const Transaction& transaction);
std::string compact_request(Revision revision);
std::string grant_request(LeaseId id, std::chrono::seconds ttl);
std::string lease_request(LeaseId id);  // keep-alive, revoke
std::string watch_request(std::string_view prefix, Revision from);
std::string login_request(std::string_view user, std::string_view password);

struct RangeAnswer {
  std::vector<Record> records;
  bool more = false;
  Revision revision = 0;  // of the store
};
std::optional<RangeAnswer> parse_range(std::string_view text);

struct CommitAnswer {
  bool done = false;
  Revision revision = 0;
  // When it is not done, for each condition what there is of its key.
  std::vector<std::optional<Record>> found;
};
std::optional<CommitAnswer> parse_commit(std::string_view text);

// Both forms: as it is, and as the message of a stream ({"result": ...}).
struct LeaseAnswer {
  LeaseId id = 0;
  std::chrono::seconds ttl{};  // 0: it is no more
};
std::optional<LeaseAnswer> parse_lease(std::string_view text);

std::optional<std::string> parse_token(std::string_view text);

// Why etcd did not do it; the code is that of gRPC.
struct Refusal {
  int code = 0;
  std::string message;
};
// Nothing: this is no refusal.
std::optional<Refusal> parse_refusal(std::string_view text);

struct WatchAnswer {
  bool created = false;
  bool canceled = false;
  bool fragment = false;  // the next answer goes on with the same revision, perhaps
  Revision compacted = 0;
  std::string reason;  // of the cancellation
  std::vector<Event> events;
};
std::optional<WatchAnswer> parse_watch(std::string_view text);

}  // namespace overlord::store::etcd
