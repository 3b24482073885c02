#include "access/user.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/ascii.h"
#include "protocol/redis/acl_names.h"
#include "protocol/redis/glob.h"

namespace overlord::access {

using redis::equals_lower;

namespace {

constexpr uint32_t kAll = UINT32_MAX;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool is_command(std::string_view name) {
  const size_t bar = name.find('|');
  const redis::Command* command = redis::find_command(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command != nullptr;
  return redis::find_subcommand(*command, name.substr(bar + 1)) != nullptr;
}

}  // namespace

Digest digest_of(std::string_view secret) {
  Digest digest{};
  unsigned size = 0;
  EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return digest;
}

User User::all_powerful(std::string name, std::string_view secret) {
  User user(std::move(name));
  user.on_ = user.all_keys_ = user.all_channels_ = true;
  user.no_password_ = secret.empty();
  if (!secret.empty()) user.passwords_.push_back(digest_of(secret));
  user.commands_.push_back({true, kAll, ""});
  user.settle();
  return user;
}

Result<void> User::apply(std::string_view rule) {
  Result<void> done;
  if (equals_lower(rule, "on")) {
    on_ = true;
  } else if (equals_lower(rule, "off")) {
    on_ = false;
  } else if (equals_lower(rule, "nopass")) {
    no_password_ = true;
    passwords_.clear();
  } else if (equals_lower(rule, "resetpass")) {
    no_password_ = false;
    passwords_.clear();
  } else if (equals_lower(rule, "allkeys")) {
    all_keys_ = true;
    keys_.clear();
  } else if (equals_lower(rule, "resetkeys")) {
    all_keys_ = false;
    keys_.clear();
  } else if (equals_lower(rule, "allchannels")) {
    all_channels_ = true;
    channels_.clear();
  } else if (equals_lower(rule, "resetchannels")) {
    all_channels_ = false;
    channels_.clear();
  } else if (equals_lower(rule, "allcommands") || equals_lower(rule, "+@all")) {
    commands_.assign(1, {true, kAll, ""});
  } else if (equals_lower(rule, "nocommands") || equals_lower(rule, "-@all")) {
    commands_.clear();
  } else if (equals_lower(rule, "reset")) {
    *this = User(name_);
  } else if (equals_lower(rule, "sanitize-payload") || equals_lower(rule, "skip-sanitize-payload")) {
    // About RESTORE inside a server: accepted from its files.
  } else if (rule.starts_with('>')) {
    no_password_ = false;
    passwords_.push_back(digest_of(rule.substr(1)));
  } else if (rule.starts_with('#')) {
    done = apply_hash(rule.substr(1));
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    done = apply_key(rule);
  } else if (rule.starts_with('&')) {
    if (rule == "&*") {
      all_channels_ = true;
    } else {
      channels_.emplace_back(rule.substr(1));
    }
  } else if (rule.starts_with('+') || rule.starts_with('-')) {
    done = apply_command(rule);
  } else if (rule.starts_with('(')) {
    done = fail("selectors are not supported; write the patterns into the rules of the user, or make two users");
  } else {
    done = fail(
        "unknown rule; rules are on, off, nopass, #SHA256, >PASSWORD, ~KEYS, %R~KEYS, %W~KEYS, &CHANNELS, "
        "+COMMAND, -COMMAND, +@CATEGORY, -@CATEGORY, all..., reset...");
  }
  settle();
  return done;
}

Result<void> User::apply_hash(std::string_view hex) {
  Digest digest{};
  bool good = hex.size() == 2 * digest.size();
  for (size_t i = 0; good && i < digest.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    good = high >= 0 && low >= 0;
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  if (!good) return fail("not a SHA-256 in 64 hexadecimal digits; make it with: printf %s PASSWORD | sha256sum");
  no_password_ = false;
  passwords_.push_back(digest);
  return {};
}

Result<void> User::apply_key(std::string_view rule) {
  uint8_t rights = kRead | kWrite;
  if (rule.front() == '%') {
    const size_t tilde = rule.find('~');
    const std::string letters =
        lower_case(std::string(rule.substr(1, tilde == std::string_view::npos ? 0 : tilde - 1)));
    if (letters == "r") {
      rights = kRead;
    } else if (letters == "w") {
      rights = kWrite;
    } else if (letters != "rw" && letters != "wr") {
      return fail("unknown key rule; write ~PATTERN, %R~PATTERN to read or %W~PATTERN to write");
    }
    rule.remove_prefix(tilde);
  }
  const std::string_view pattern = rule.substr(1);
  if (pattern == "*" && rights == (kRead | kWrite)) {
    all_keys_ = true;
  } else {
    keys_.push_back({std::string(pattern), rights});
  }
  return {};
}

Result<void> User::apply_command(std::string_view rule) {
  const bool allow = rule.front() == '+';
  const std::string name = lower_case(std::string(rule.substr(1)));
  if (name.starts_with('@')) {
    const uint32_t category = redis::acl_category(std::string_view(name).substr(1));
    if (category == 0) return fail("unknown category; ACL CAT lists them");
    commands_.push_back({allow, category, ""});
    return {};
  }
  if (!is_command(name)) {
    if (name.find('|') != std::string::npos && redis::find_command(name.substr(0, name.find('|'))) != nullptr) {
      return fail("no such subcommand (rules on a first argument are not supported)");
    }
    // A command that only the backends know (a module's, a newer server's) may be named too.
    if (name.empty() || name.find_first_of("|@ ") != std::string::npos) return fail("no such command");
  }
  commands_.push_back({allow, 0, name});
  return {};
}

bool User::judge(std::string_view name, uint32_t categories) const {
  for (size_t i = commands_.size(); i-- > 0;) {
    const CommandRule& rule = commands_[i];
    const bool fits = rule.categories != 0 ? rule.categories == kAll || (rule.categories & categories) != 0
                                           : name == rule.name || name.substr(0, name.find('|')) == rule.name;
    if (fits) return rule.allow;
  }
  return false;
}

void User::settle() {
  of_command_.clear();
  bool every = true;
  const auto note = [&](const redis::Command& command) {
    const bool allowed = judge(command.name, command.acl);
    of_command_[&command] = allowed;
    every = every && allowed;
  };
  for (const redis::Command& command : redis::all_commands()) {
    note(command);
    for (const redis::Command& sub : command.subcommands) note(sub);
  }
  const bool only_all = commands_.size() == 1 && commands_[0].allow && commands_[0].categories == kAll;
  unrestricted_ = every && only_all && all_keys_ && all_channels_;
}

bool User::password_is(std::string_view secret) const {
  if (no_password_) return true;
  const Digest given = digest_of(secret.substr(0, kLongestPassword));
  unsigned found = 0;
  for (const Digest& wanted : passwords_) {
    unsigned difference = 0;
    for (size_t i = 0; i < wanted.size(); ++i) difference |= static_cast<unsigned>(wanted[i] ^ given[i]);
    found |= static_cast<unsigned>(difference == 0);
  }
  return found != 0 && secret.size() <= kLongestPassword;
}

bool User::may_run(const redis::Command& command) const {
  const auto known = of_command_.find(&command);
  return known != of_command_.end() ? known->second : judge(command.name, command.acl);
}

bool User::may_run(std::string_view name, uint32_t categories) const { return judge(name, categories); }

bool User::may_use_key(std::string_view key, uint8_t rights) const {
  if (all_keys_) return true;
  return std::ranges::any_of(keys_, [&](const KeyPattern& pattern) {
    return (pattern.rights & rights) == rights && redis::glob_match_exact(pattern.text, key);
  });
}

bool User::may_use_channel(std::string_view channel, bool pattern) const {
  if (all_channels_) return true;
  return std::ranges::any_of(channels_, [&](const std::string& mine) {
    return pattern ? mine == channel : redis::glob_match_exact(mine, channel);
  });
}

std::vector<std::string> User::password_texts() const {
  std::vector<std::string> out;
  for (const Digest& digest : passwords_) {
    std::string& text = out.emplace_back();
    for (const unsigned char byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
  }
  return out;
}

std::string User::keys_text() const {
  std::string out = all_keys_ ? "~*" : "";
  for (const KeyPattern& key : keys_) {
    if (!out.empty()) out += ' ';
    out += key.rights == kRead ? "%R~" : key.rights == kWrite ? "%W~" : "~";
    out += key.text;
  }
  return out;
}

std::string User::channels_text() const {
  std::string out = all_channels_ ? "&*" : "";
  for (const std::string& channel : channels_) {
    if (!out.empty()) out += ' ';
    out += "&" + channel;
  }
  return out;
}

std::string User::commands_text() const {
  const bool from_all = !commands_.empty() && commands_[0].allow && commands_[0].categories == kAll;
  std::string out = from_all ? "+@all" : "-@all";
  for (const CommandRule& rule : commands_) {
    if (rule.categories == kAll) continue;
    out += rule.allow ? " +" : " -";
    if (rule.categories == 0) {
      out += rule.name;
      continue;
    }
    for (size_t i = 0; i < redis::kAclNames.size(); ++i) {
      if (rule.categories == 1u << i) out += redis::kAclNames[i];
    }
  }
  return out;
}

std::string User::describe() const {
  std::string out = "user " + name_ + (on_ ? " on" : " off");
  if (no_password_) out += " nopass";
  for (const std::string& digest : password_texts()) out += " #" + digest;
  if (const std::string keys = keys_text(); !keys.empty()) out += " " + keys;
  if (!all_channels_) out += " resetchannels";
  if (const std::string channels = channels_text(); !channels.empty()) out += " " + channels;
  return out + " " + commands_text();
}

}  // namespace overlord::access
