#pragma once
// User: who a client is and what it may do, by the rules of redis' ACL files:
//
//   on|off  nopass  >PASSWORD  #SHA256  resetpass  ~PATTERN  %R~PATTERN  %W~PATTERN  %RW~PATTERN  allkeys  resetkeys
//   &PATTERN  allchannels  resetchannels  +COMMAND  -COMMAND  +CONTAINER|SUB  -CONTAINER|SUB  +@CATEGORY  -@CATEGORY
//   allcommands  nocommands  reset
//
// Selectors and rules on a first argument (+select|0) are refused. Source: https://redis.io/docs, "ACL SETUSER".
// A user is made once when the configuration is read and never changes: any thread may ask it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "protocol/redis/command.h"

namespace overlord::access {

enum Right : uint8_t { kRead = 1, kWrite = 2 };

using Digest = std::array<unsigned char, 32>;  // SHA-256
Digest digest_of(std::string_view secret);

// The longest password that is looked at; a longer one is wrong.
inline constexpr size_t kLongestPassword = 4096;

class User {
 public:
  // A new user is off, has no password, and may do nothing.
  explicit User(std::string name) : name_(std::move(name)) {}
  // May do everything; secret empty: needs no password.
  static User all_powerful(std::string name, std::string_view secret);

  // One rule; what is wrong with it and what to write instead otherwise.
  Result<void> apply(std::string_view rule);

  const std::string& name() const { return name_; }
  bool on() const { return on_; }
  bool needs_password() const { return !no_password_; }
  bool has_password() const { return !passwords_.empty(); }
  // Takes a time that does not depend on how much of the password is right.
  bool password_is(std::string_view secret) const;

  // May do everything that the proxy can: nothing else need be asked.
  bool unrestricted() const { return unrestricted_; }
  bool may_run(const redis::Command& command) const;
  // For what is no redis command: name in lower case, categories as a command's.
  bool may_run(std::string_view name, uint32_t categories) const;
  // rights: Right bits, all of which one pattern must give.
  bool may_use_key(std::string_view key, uint8_t rights) const;
  // pattern: the channel is a pattern itself, which must be one of the user's.
  bool may_use_channel(std::string_view channel, bool pattern) const;

  // The rules as ACL LIST shows them: "user app on #... ~app:* &* -@all +@read".
  std::string describe() const;
  // Its parts, as ACL GETUSER shows them.
  std::vector<std::string> password_texts() const;  // SHA-256 in hexadecimal digits
  std::string commands_text() const;
  std::string keys_text() const;
  std::string channels_text() const;

 private:
  struct KeyPattern {
    std::string text;
    uint8_t rights;
  };
  struct CommandRule {
    bool allow;
    uint32_t categories;  // 0: a name
    std::string name;     // "get", "config", "config|get"
  };

  Result<void> apply_command(std::string_view rule);
  Result<void> apply_key(std::string_view rule);
  Result<void> apply_hash(std::string_view hex);
  bool judge(std::string_view name, uint32_t categories) const;
  void settle();

  std::string name_;
  bool on_ = false;
  bool no_password_ = false;
  bool all_keys_ = false;
  bool all_channels_ = false;
  bool unrestricted_ = false;
  std::vector<Digest> passwords_;
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
  std::vector<CommandRule> commands_;                           // the last that fits decides
  std::unordered_map<const redis::Command*, bool> of_command_;  // the answer for each command of the table
};

}  // namespace overlord::access
