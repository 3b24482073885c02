#pragma once
// Entry: one answered request, for the slow log and for who follows requests live. Of fixed size and without pointers into anything that can go away, so that a worker can hand
// it over by copying it.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace overlord::slowlog {

// Text in place; what is longer is cut.
template <size_t N>
class Text {
 public:
  Text() = default;
  explicit Text(std::string_view text) { set(text); }
  void set(std::string_view text) {
    size_ = static_cast<uint16_t>(std::min(text.size(), N));
    std::memcpy(bytes_.data(), text.data(), size_);
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  uint16_t size_ = 0;
  std::array<char, N> bytes_;
};

// The stages follow each other and add up to the total; nanoseconds.
struct Stages {
  uint64_t wait = 0;     // from when it was read until it was given to a backend's connection
  uint64_t queue = 0;    // until the backend had answered what was before it on that connection
  uint64_t backend = 0;  // until its answer was there
  uint64_t write = 0;    // until its answer was written, behind those of earlier requests of the client

  uint64_t total() const { return wait + queue + backend + write; }
};

// The answer was an error, of the node or of the proxy, but not a failure of the proxy's.
inline constexpr std::string_view kErrorReply = "error_reply";

struct Entry {
  uint64_t number = 0;       // counts all entries of the process, from 1; given by the Store
  uint64_t began_us = 0;     // unix time
  Stages stages;             // of the slowest part, when the request was split
  uint32_t key_size = 0;     // of the whole key; 0: it has none
  uint32_t parts = 1;        // requests to backends that it became; 0: the proxy answered it
  std::string_view command;  // static text
  // Static text: the proxy's own failure, or kErrorReply; empty: it went well.
  std::string_view error;
  Text<64> cluster;
  Text<96> node;    // where the slowest part went; empty: nowhere
  Text<64> client;  // its address
  Text<48> key;     // its front, or 16 hexadecimal digits of its hash
  bool key_hashed = false;
  bool redis = false;  // else memcache
};

}  // namespace overlord::slowlog
