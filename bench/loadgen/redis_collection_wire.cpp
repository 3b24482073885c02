// Hashes and sorted sets of ten: what RESP2 and RESP3 write differently.
#include <charconv>
#include <string>

#include "loadgen/wire.h"

namespace loadgen {
namespace {

constexpr uint32_t kItems = 10;
constexpr std::string_view kField = "field-0";

std::string bulk_head(size_t size) { return "$" + std::to_string(size) + "\r\n"; }

std::string bulk(std::string_view text) { return bulk_head(text.size()) + std::string(text) + "\r\n"; }

/// Everything follows from the key's number, and servers keep fields of small hashes in the order of their writing: of
/// each reply exactly one form is right.
class RedisCollectionWire : public Wire {
 public:
  RedisCollectionWire(const Keyspace& keys, bool resp3, Shape shape)
      : Wire(keys, true),
        resp3_(resp3),
        hash_(shape == Shape::kHash),
        key_head_(bulk_head(keys.key_size())),
        value_head_(bulk_head(keys.value_size())),
        read_head_(hash_ ? "*2\r\n$7\r\nHGETALL\r\n" : "*5\r\n$6\r\nZRANGE\r\n"),
        read_tail_(hash_ ? "\r\n" : "\r\n$1\r\n0\r\n$2\r\n-1\r\n$10\r\nWITHSCORES\r\n"),
        write_head_("*" + std::to_string(2 + 2 * kItems) + "\r\n" + bulk(hash_ ? "HSET" : "ZADD")) {}

  size_t max_request_size() const override { return 128 + keys_.key_size() + kItems * (keys_.value_size() + 64); }

  char* write(const Request& request, char* to) const override {
    const bool set = request.op == Op::kSet;
    to = put(put(to, set ? write_head_ : read_head_), key_head_);
    keys_.write_key(request.key, to);
    to += keys_.key_size();
    if (!set) return put(to, read_tail_);
    to = put(to, "\r\n");
    for (uint32_t i = 0; i < kItems; ++i) {
      to = hash_ ? write_value(request.key, i, write_field(i, to))
                 : write_value(request.key, i, write_bulk_score(request.key, i, to));
    }
    return to;
  }

  Verdict check(std::string_view& in, Request& request, Tally& tally) const override {
    if (request.op == Op::kSet) return check_line(in, tally, true);
    std::string& wanted = wanted_;
    wanted.resize(64 + kItems * (keys_.value_size() + 64));
    wanted.resize(static_cast<size_t>(write_reply(request.key, wanted.data()) - wanted.data()));
    const size_t part = std::min(in.size(), wanted.size());
    if (in.substr(0, part) == std::string_view(wanted).substr(0, part)) {
      if (part < wanted.size()) return Verdict::kNeedMore;
      ++tally.hits;
      in.remove_prefix(part);
      return Verdict::kDone;
    }
    if (in.starts_with('-') || in.starts_with("*0\r") || in.starts_with("%0\r")) return check_line(in, tally, false);
    return Verdict::kBroken;
  }

 private:
  char* write_field(uint32_t i, char* to) const {
    to = put(put(to, "$7\r\n"), kField);
    to[-1] = static_cast<char>('0' + i);
    return put(to, "\r\n");
  }

  char* write_value(uint32_t key, uint32_t i, char* to) const {
    to = put(to, value_head_);
    keys_.write_value(key * kItems + i, to);
    return put(to + keys_.value_size(), "\r\n");
  }

  /// As a time in seconds, a common score; every second one with a fraction that a double holds exactly.
  static char* write_score(uint32_t key, uint32_t i, char* to) {
    to = std::to_chars(to, to + 16, 1'700'000'000 + key % 1'000'000 * 16 + i).ptr;
    return i % 2 == 1 ? put(to, ".25") : to;
  }

  static char* write_bulk_score(uint32_t key, uint32_t i, char* to) {
    to = put(to, i % 2 == 1 ? "$13\r\n" : "$10\r\n");
    return put(write_score(key, i, to), "\r\n");
  }

  char* write_reply(uint32_t key, char* to) const {
    if (hash_) {
      to = put(to, resp3_ ? "%10\r\n" : "*20\r\n");
      for (uint32_t i = 0; i < kItems; ++i) to = write_value(key, i, write_field(i, to));
      return to;
    }
    to = put(to, resp3_ ? "*10\r\n" : "*20\r\n");
    for (uint32_t i = 0; i < kItems; ++i) {
      to = write_value(key, i, resp3_ ? put(to, "*2\r\n") : to);
      to = resp3_ ? put(write_score(key, i, put(to, ",")), "\r\n") : write_bulk_score(key, i, to);
    }
    return to;
  }

  /// A reply that is one line: how many items a write has added, no items at all, or an error.
  static Verdict check_line(std::string_view& in, Tally& tally, bool written) {
    std::string_view line;
    if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
    if (line.starts_with('-'))
      ++tally.errors;
    else if (!written && (line == "*0" || line == "%0"))
      ++tally.misses;
    else if (!written || (line != ":0" && line != ":10"))
      return Verdict::kBroken;
    in.remove_prefix(line.size() + 2);
    return Verdict::kDone;
  }

  const bool resp3_;
  const bool hash_;
  const std::string key_head_;
  const std::string value_head_;
  const std::string_view read_head_;
  const std::string_view read_tail_;
  const std::string write_head_;
  mutable std::string wanted_;
};

}  // namespace

std::unique_ptr<Wire> make_redis_collection_wire(const Keyspace& keys, bool resp3, Shape shape) {
  return std::make_unique<RedisCollectionWire>(keys, resp3, shape);
}

}  // namespace loadgen
