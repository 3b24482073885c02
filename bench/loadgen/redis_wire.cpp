#include <string>

#include "loadgen/wire.h"

namespace loadgen {
namespace {

std::string bulk_head(size_t size) { return "$" + std::to_string(size) + "\r\n"; }

class RedisWire : public Wire {
 public:
  RedisWire(const Keyspace& keys, bool resp3, bool strict_order)
      : Wire(keys, strict_order),
        null_(resp3 ? "_" : "$-1"),
        key_head_(bulk_head(keys.key_size())),
        value_head_(bulk_head(keys.value_size())),
        get_head_("*2\r\n$3\r\nGET\r\n" + key_head_),
        set_head_("*3\r\n$3\r\nSET\r\n" + key_head_) {}

  size_t max_request_size() const override {
    return 64 + keys_.value_size() + kMaxMulti * (key_head_.size() + keys_.key_size() + 2);
  }

  char* write(const Request& request, char* to) const override {
    switch (request.op) {
      case Op::kGet: return write_key(request.key, put(to, get_head_));
      case Op::kSet:
        to = put(write_key(request.key, put(to, set_head_)), value_head_);
        keys_.write_value(request.key, to);
        return put(to + keys_.value_size(), "\r\n");
      case Op::kMultiGet:
        to = put(to, "*" + std::to_string(request.count + 1) + "\r\n$4\r\nMGET\r\n");
        for (size_t i = 0; i < request.count; ++i) to = write_key((*request.multi)[i], put(to, key_head_));
        return to;
    }
    return to;
  }

  Verdict check(std::string_view& in, Request& request, Tally& tally) const override {
    if (request.op == Op::kGet) return check_bulk(in, request.key, tally);
    std::string_view line;
    if (request.op == Op::kSet || !request.header_seen) {
      if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
      if (line.starts_with('-')) {
        ++tally.errors;
        in.remove_prefix(line.size() + 2);
        return Verdict::kDone;
      }
    }
    if (request.op == Op::kSet) {
      if (line != "+OK") return Verdict::kBroken;
      in.remove_prefix(line.size() + 2);
      return Verdict::kDone;
    }
    if (!request.header_seen) {
      if (line != "*" + std::to_string(request.count)) return Verdict::kBroken;
      request.header_seen = true;
      in.remove_prefix(line.size() + 2);
    }
    while (request.answered < request.count) {
      const Verdict v = check_bulk(in, (*request.multi)[request.answered], tally);
      if (v != Verdict::kDone) return v;
      ++request.answered;
    }
    return Verdict::kDone;
  }

 private:
  char* write_key(uint32_t key, char* to) const {
    keys_.write_key(key, to);
    return put(to + keys_.key_size(), "\r\n");
  }

  Verdict check_bulk(std::string_view& in, uint32_t key, Tally& tally) const {
    const size_t whole = value_head_.size() + keys_.value_size() + 2;
    if (in.starts_with(value_head_)) {
      if (in.size() < whole) return Verdict::kNeedMore;
      if (in[whole - 2] != '\r' || in[whole - 1] != '\n') return Verdict::kBroken;
      if (keys_.value_is(key, in.data() + value_head_.size())) {
        ++tally.hits;
      } else {
        ++tally.wrong;
        show_wrong("value of another key", in);
      }
      in.remove_prefix(whole);
      return Verdict::kDone;
    }
    std::string_view line;
    if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
    if (line == null_)
      ++tally.misses;
    else if (line.starts_with('-'))
      ++tally.errors;
    else
      return Verdict::kBroken;
    in.remove_prefix(line.size() + 2);
    return Verdict::kDone;
  }

  const std::string_view null_;
  const std::string key_head_;
  const std::string value_head_;
  const std::string get_head_;
  const std::string set_head_;
};

}  // namespace

std::unique_ptr<Wire> make_redis_wire(const Keyspace& keys, bool resp3, bool strict_order) {
  return std::make_unique<RedisWire>(keys, resp3, strict_order);
}

}  // namespace loadgen
