#pragma once
// Walking a command's key specs over arguments that come one after another. Shared by visit_keys (a request) and
// COMMAND GETKEYS (a command inside a request).

#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/redis/command.h"
#include "protocol/redis/command_lookup.h"
#include "protocol/redis/length_line.h"
#include "protocol/redis/request_parser.h"

namespace overlord::redis {

// at(i) of a request; walking forward costs each argument once.
class RequestArgs {
 public:
  explicit RequestArgs(const RequestParser& request) : request_(request), cursor_(request) {}
  uint32_t size() const { return request_.argc(); }
  std::string_view at(uint32_t i) {
    if (i < RequestParser::kFirstArgs) return request_.arg(i);
    if (i + 1 < next_) {
      cursor_ = ArgCursor(request_);
      next_ = 0;
    }
    for (; next_ <= i; ++next_) cursor_.next();
    return cursor_.value();
  }

 private:
  const RequestParser& request_;
  ArgCursor cursor_;
  uint32_t next_ = 0;  // arguments the cursor has passed
};

class ListArgs {
 public:
  explicit ListArgs(std::span<const std::string_view> args) : args_(args) {}
  uint32_t size() const { return static_cast<uint32_t>(args_.size()); }
  std::string_view at(uint32_t i) const { return args_[i]; }

 private:
  std::span<const std::string_view> args_;
};

constexpr bool equals_upper(std::string_view text, std::string_view upper_case) {
  if (text.size() != upper_case.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower(upper_case[i])) return false;
  }
  return true;
}

template <typename Args, typename Visit>
class KeyWalk {
 public:
  KeyWalk(Args& args, Visit& visit) : args_(args), visit_(visit), argc_(args.size()) {}

  // The number of keys, -1 when the arguments do not fit the specs.
  int run(const Command& command) {
    for (const KeySpec& spec : command.key_specs) {
      if ((spec.flags & kKeyNotKey) != 0) continue;
      const bool good = spec.begin == KeySpec::Begin::index     ? keys_from(spec, spec.begin_index)
                        : spec.begin == KeySpec::Begin::keyword ? keyword(spec)
                                                                : true;
      if (!good) return -1;
    }
    if (command.rule == CallRule::no_patterns && (command.flags & kWrite) != 0) sort_store(command);
    return count_;
  }

 private:
  // Positions are 64 bits wide and signed: no count in a request makes them overflow.
  bool keyword(const KeySpec& spec) {
    if (spec.begin_index < 0) return keyword_from_end(spec);
    for (int64_t at = spec.begin_index; at < argc_ - 1; ++at) {
      if (!equals_upper(args_.at(static_cast<uint32_t>(at)), spec.keyword)) continue;
      if (!keys_from(spec, at + 1)) return false;
      // A repeated option with one key: the server acts on the last, so all of them are looked at.
      if (spec.find != KeySpec::Find::range || spec.last != 0) return true;
      ++at;
    }
    return true;
  }

  // The last place of the keyword, not behind begin_index; found by walking forward, which is what args do well.
  bool keyword_from_end(const KeySpec& spec) {
    int64_t found = 0;
    for (int64_t at = 2; at <= argc_ + spec.begin_index; ++at) {
      if (equals_upper(args_.at(static_cast<uint32_t>(at)), spec.keyword)) found = at;
    }
    return found == 0 || keys_from(spec, found + 1);
  }

  bool keys_from(const KeySpec& spec, int64_t first) {
    int64_t last = 0;
    if (spec.find == KeySpec::Find::range) {
      last = spec.last >= 0    ? first + spec.last
             : spec.limit <= 1 ? argc_ + spec.last
                               : first + (argc_ - first) / spec.limit + spec.last;
    } else if (spec.find == KeySpec::Find::keynum) {
      int64_t keys = 0;
      const int64_t at = first + spec.keynum_index;
      if (at >= argc_ || !parse_number(args_.at(static_cast<uint32_t>(at)), keys) || keys < 0 || keys > argc_)
        return false;
      if (keys == 0) return true;
      first += spec.first_key;
      last = first + (keys - 1) * spec.step;
    } else {
      return true;
    }
    if (last >= argc_ || last < first || first >= argc_) return false;
    for (int64_t i = first; i <= last; i += spec.step) visit(static_cast<uint32_t>(i), spec.flags);
    return true;
  }

  // The server leaves SORT's STORE to code as well: it may stand anywhere, and the last one counts.
  void sort_store(const Command& command) {
    uint32_t found = 0;
    for (uint32_t i = 2; i < argc_; ++i) {
      const std::string_view arg = args_.at(i);
      if (equals_upper(arg, "LIMIT")) {
        i += 2;
      } else if (equals_upper(arg, "GET") || equals_upper(arg, "BY")) {
        i += 1;
      } else if (equals_upper(arg, "STORE") && i + 1 < argc_) {
        found = ++i;
      }
    }
    if (found != 0) visit(found, command.key_specs.back().flags);
  }

  void visit(uint32_t index, uint16_t flags) {
    ++count_;
    visit_(args_.at(index), flags);
  }

  Args& args_;
  Visit& visit_;
  int64_t argc_;
  int count_ = 0;
};

}  // namespace overlord::redis
