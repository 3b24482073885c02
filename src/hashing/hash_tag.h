#pragma once
// HashTag: the part of a key that decides where it goes. With the tag "{}", `{user1}.name` and
// `{user1}.mail` both hash as `user1` and live on one node.
//
// Rule of both proxies and of Redis Cluster: the text strictly between the first opening byte and
// the first closing byte after it; the whole key where either is missing. Where nothing is between
// the two, Compat decides: Overlord hashes the empty text, twemproxy (and Redis Cluster) the whole
// key. Opening and closing byte may be the same.

#include <cstddef>
#include <string>
#include <string_view>

#include "hashing/compat.h"

namespace overlord::hashing {

class HashTag {
 public:
  /// Off: every key is hashed whole.
  constexpr HashTag() = default;

  /// A tag of exactly two bytes, opening and closing; a text of any other length is off.
  constexpr HashTag(std::string_view tag, Compat compat)
      : on_(tag.size() == 2), keep_empty_(compat == Compat::overlord) {
    if (on_) {
      open_ = tag[0];
      close_ = tag[1];
    }
  }

  /// What the `hash_tag` of a config means: "none" is off; "" is "{}" under overlord and off under
  /// twemproxy; two bytes are a tag; any other length is off (the config warns of it).
  static constexpr HashTag from_config(std::string_view text, Compat compat) {
    if (text == "none") return {};
    if (text.empty() && compat == Compat::overlord) return {"{}", compat};
    return {text, compat};
  }

  constexpr bool on() const noexcept { return on_; }
  constexpr bool operator==(const HashTag&) const noexcept = default;
  /// Its two bytes, or "none".
  std::string text() const { return on_ ? std::string{open_, close_} : "none"; }

  /// The part of the key to hash: a view into it.
  constexpr std::string_view trim(std::string_view key) const noexcept {
    if (!on_) return key;
    const std::size_t open = key.find(open_);
    if (open == std::string_view::npos) return key;
    const std::size_t close = key.find(close_, open + 1);
    if (close == std::string_view::npos) return key;
    if (close == open + 1 && !keep_empty_) return key;
    return key.substr(open + 1, close - open - 1);
  }

 private:
  bool on_ = false;
  bool keep_empty_ = false;
  char open_ = 0;
  char close_ = 0;
};

}  // namespace overlord::hashing
