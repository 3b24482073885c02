#pragma once
// The flags of a meta command as memcached 1.6.18 reads them: for a backend that has to be asked in other words.
// Source: memcached's doc/protocol.txt and the behaviour of memcached 1.6.18.

#include <cstdint>
#include <string_view>

#include "protocol/memcache/meta_request.h"

namespace overlord::memcache {

struct MetaFlags {
  uint32_t present = 0;  // has()
  char mode = 0;         // of M: 0, or one of SEAPR for ms; I or D for ma
  int32_t exptime = 0;   // T
  int32_t vivify = 0;    // N
  uint32_t client_flags = 0;
  uint64_t cas = 0;        // C
  uint64_t delta = 1;      // D
  uint64_t initial = 0;    // J
  std::string_view words;  // all of them, for the reply: it shows some in their order

  // A letter that the command has.
  bool has(char flag) const { return (present & bit(flag)) != 0; }
  static constexpr uint32_t bit(char flag) {
    constexpr std::string_view kAll = "bcfhklqstuvCFDIJLMNOPRT";
    const size_t at = kAll.find(flag);
    return at == std::string_view::npos ? 0 : uint32_t{1} << at;
  }
};

// Returns the refusal, a line with its line end; empty when there is none.
std::string_view read_meta_flags(const MetaRequest& request, MetaFlags& flags);

}  // namespace overlord::memcache
