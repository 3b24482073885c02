#pragma once
// AclLog: the calls and logins that were refused lately, for ACL LOG. One cluster in one worker. As in redis-server 7.0
// those that are alike within a minute are one entry, and the oldest goes when there are too many.
// Source: https://redis.io/commands/acl-log.

#include <cstdint>
#include <list>
#include <string>
#include <string_view>

namespace overlord::access {

class AclLog {
 public:
  static constexpr size_t kMaxEntries = 128;
  static constexpr size_t kMaxObject = 512;  // bytes that are kept of a key, and of a name

  struct Entry {
    std::string_view reason;   // "command", "key", "channel", "auth"; static storage
    std::string_view context;  // "toplevel", "multi"; static storage
    std::string object;        // what was refused
    std::string user;
    uint64_t client;  // the last that was refused
    std::string client_info;
    uint64_t count;
    int64_t time;  // of the last, milliseconds since 1970
  };

  // What it was; client_info is made only when it is needed: describe() is called for that.
  template <class Describe>
  void note(std::string_view reason, std::string_view context, std::string_view object, std::string_view user,
            uint64_t client, int64_t now, Describe&& describe) {
    Entry& entry = find_or_add(reason, context, object.substr(0, kMaxObject), user.substr(0, kMaxObject), now);
    ++entry.count;
    entry.time = now;
    if (entry.client == client) return;
    entry.client = client;
    entry.client_info = describe();
  }
  void clear() { entries_.clear(); }
  const std::list<Entry>& entries() const { return entries_; }  // the newest first

 private:
  Entry& find_or_add(std::string_view reason, std::string_view context, std::string_view object, std::string_view user,
                     int64_t now);

  std::list<Entry> entries_;
};

// As ACL LOG shows it, for clients that speak RESP2.
void append_entry(std::string& out, const AclLog::Entry& entry, int64_t now);

}  // namespace overlord::access
