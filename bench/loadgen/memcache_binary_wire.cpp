#include <string>

#include "loadgen/wire.h"

namespace loadgen {
namespace {

constexpr size_t kHeader = 24;
constexpr uint8_t kGet = 0x00;
constexpr uint8_t kSet = 0x01;

template <typename T>
char* put_number(char* to, T value) {
  for (size_t i = sizeof(T); i-- > 0;) *to++ = static_cast<char>(value >> (8 * i));
  return to;
}

uint32_t number_at(std::string_view in, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(in[at + i]);
  return value;
}

/// Get and Set of the binary protocol. The opaque is made from the key, so the reply to another key is noticed.
class MemcacheBinaryWire : public Wire {
 public:
  explicit MemcacheBinaryWire(const Keyspace& keys) : Wire(keys, true) {}

  size_t max_request_size() const override { return kHeader + 8 + keys_.key_size() + keys_.value_size(); }

  char* write(const Request& request, char* to) const override {
    const bool set = request.op == Op::kSet;
    const uint8_t extras = set ? 8 : 0;
    to = put_number<uint8_t>(put_number<uint8_t>(to, 0x80), set ? kSet : kGet);
    to = put_number(to, static_cast<uint16_t>(keys_.key_size()));
    to = put_number<uint32_t>(to, uint32_t{extras} << 24);
    to = put_number(to, static_cast<uint32_t>(extras + keys_.key_size() + (set ? keys_.value_size() : 0)));
    to = put_number<uint64_t>(put_number(to, opaque(request)), 0);
    if (set) to = put_number<uint32_t>(put_number(to, Keyspace::flags(request.key)), 0);
    keys_.write_key(request.key, to);
    to += keys_.key_size();
    if (!set) return to;
    keys_.write_value(request.key, to);
    return to + keys_.value_size();
  }

  Verdict check(std::string_view& in, Request& request, Tally& tally) const override {
    if (in.size() < kHeader) {
      return !in.empty() && in[0] != '\x81' ? Verdict::kBroken : Verdict::kNeedMore;
    }
    const bool set = request.op == Op::kSet;
    const uint32_t body = number_at(in, 8, 4);
    const uint32_t status = number_at(in, 6, 2);
    if (in[0] != '\x81' || number_at(in, 1, 1) != (set ? kSet : kGet) || number_at(in, 12, 4) != opaque(request) ||
        number_at(in, 2, 2) != 0 || body > keys_.value_size() + 4096) {
      return Verdict::kBroken;
    }
    if (in.size() < kHeader + body) return Verdict::kNeedMore;
    if (status == 1 && !set)
      ++tally.misses;
    else if (status != 0)
      ++tally.errors;
    else if (set ? body != 0 : body != 4 + keys_.value_size() || number_at(in, 4, 1) != 4)
      return Verdict::kBroken;
    else if (!set && (number_at(in, kHeader, 4) != Keyspace::flags(request.key) ||
                      !keys_.value_is(request.key, in.data() + kHeader + 4))) {
      ++tally.wrong;
      show_wrong("value of another key", in);
    } else if (!set) {
      ++tally.hits;
    }
    in.remove_prefix(kHeader + body);
    return Verdict::kDone;
  }

 private:
  static uint32_t opaque(const Request& request) { return static_cast<uint32_t>(mix(request.key)); }
};

}  // namespace

std::unique_ptr<Wire> make_memcache_binary_wire(const Keyspace& keys) {
  return std::make_unique<MemcacheBinaryWire>(keys);
}

}  // namespace loadgen
