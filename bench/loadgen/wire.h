#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "loadgen/keyspace.h"
#include "loadgen/options.h"

namespace loadgen {

inline constexpr size_t kMaxMulti = 64;

enum class Op : uint8_t { kGet, kSet, kMultiGet };

/// One request that waits for its reply.
struct Request {
  int64_t due_ns = 0;  // when it was, or should have been, sent
  uint64_t found = 0;  // multi-get: bit i is set once keys[i] was answered
  Op op = Op::kGet;
  uint8_t count = 1;     // keys asked
  uint8_t answered = 0;  // keys answered so far
  bool header_seen = false;
  std::array<uint32_t, kMaxMulti>* multi = nullptr;  // the keys of a multi-get
  uint32_t key = 0;                                  // the key of everything else
};

/// What the replies were. `wrong` is anything that a correct server cannot have sent.
struct Tally {
  uint64_t replies = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t errors = 0;
  uint64_t wrong = 0;
  uint64_t reordered = 0;
};

enum class Verdict {
  kNeedMore,  // the reply is not complete; what could be used was taken
  kDone,      // the reply of this request is complete
  kBroken,    // the bytes are no reply to this request; nothing after them can be trusted
};

/// One protocol: writes requests, checks replies.
class Wire {
 public:
  explicit Wire(const Keyspace& keys, bool strict_order) : keys_(keys), strict_order_(strict_order) {}
  virtual ~Wire() = default;

  /// Upper bound of bytes of one request.
  virtual size_t max_request_size() const = 0;
  /// Writes the request and returns the end of what was written.
  virtual char* write(const Request& request, char* to) const = 0;
  /// Takes from the front of `in` what belongs to `request` and counts it in `tally`.
  virtual Verdict check(std::string_view& in, Request& request, Tally& tally) const = 0;

 protected:
  const Keyspace& keys_;
  const bool strict_order_;
};

/// The wire of the options' protocol and shape.
std::unique_ptr<Wire> make_wire(const Options& options, const Keyspace& keys);

std::unique_ptr<Wire> make_redis_wire(const Keyspace& keys, bool resp3, bool strict_order);
std::unique_ptr<Wire> make_redis_collection_wire(const Keyspace& keys, bool resp3, Shape shape);
std::unique_ptr<Wire> make_memcache_wire(const Keyspace& keys, bool strict_order);
std::unique_ptr<Wire> make_memcache_meta_wire(const Keyspace& keys);
std::unique_ptr<Wire> make_memcache_binary_wire(const Keyspace& keys);

/// Copies `text` and returns the end of the copy.
inline char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// The first line of `in` without its CR LF. kNeedMore while there is none, kBroken when it is longer than any real
/// line may be or ends without CR.
Verdict first_line(std::string_view in, std::string_view& line);

/// Keeps the first few wrong replies for the report on stderr.
void show_wrong(std::string_view what, std::string_view got);

}  // namespace loadgen
