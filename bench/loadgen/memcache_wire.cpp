#include <bit>
#include <charconv>
#include <string>

#include "loadgen/wire.h"

namespace loadgen {
namespace {

constexpr size_t kLongestKey = 250;

bool is_error(std::string_view line) {
  return line == "ERROR" || line.starts_with("CLIENT_ERROR ") || line.starts_with("SERVER_ERROR ") ||
         line == "SERVER_ERROR" || line == "NOT_STORED";
}

class MemcacheWire : public Wire {
 public:
  MemcacheWire(const Keyspace& keys, bool strict_order)
      : Wire(keys, strict_order), size_text_(" " + std::to_string(keys.value_size()) + "\r\n") {}

  size_t max_request_size() const override {
    return 64 + keys_.key_size() + keys_.value_size() + kMaxMulti * (keys_.key_size() + 1);
  }

  char* write(const Request& request, char* to) const override {
    if (request.op == Op::kSet) {
      to = write_key(request.key, put(to, "set "));
      *to++ = ' ';
      to = put(write_flags(request.key, to), " 0");
      to = put(to, size_text_);
      keys_.write_value(request.key, to);
      return put(to + keys_.value_size(), "\r\n");
    }
    to = put(to, "get");
    for (size_t i = 0; i < request.count; ++i) {
      *to++ = ' ';
      to = write_key(key_of(request, i), to);
    }
    return put(to, "\r\n");
  }

  Verdict check(std::string_view& in, Request& request, Tally& tally) const override {
    if (request.op == Op::kSet) return check_stored(in, tally);
    for (;;) {
      if (in.starts_with("END\r\n")) {
        in.remove_prefix(5);
        tally.misses += request.count - request.answered;
        return Verdict::kDone;
      }
      if (in.starts_with("VALUE ")) {
        const Verdict v = check_value(in, request, tally);
        if (v != Verdict::kDone) return v;
        continue;
      }
      std::string_view line;
      if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
      if (!is_error(line)) return Verdict::kBroken;
      ++tally.errors;
      in.remove_prefix(line.size() + 2);
      return Verdict::kDone;
    }
  }

 private:
  static uint32_t key_of(const Request& request, size_t i) {
    return request.op == Op::kMultiGet ? (*request.multi)[i] : request.key;
  }

  char* write_key(uint32_t key, char* to) const {
    keys_.write_key(key, to);
    return to + keys_.key_size();
  }

  static char* write_flags(uint32_t key, char* to) { return std::to_chars(to, to + 5, Keyspace::flags(key)).ptr; }

  static Verdict check_stored(std::string_view& in, Tally& tally) {
    std::string_view line;
    if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
    if (line != "STORED") {
      if (!is_error(line)) return Verdict::kBroken;
      ++tally.errors;
    }
    in.remove_prefix(line.size() + 2);
    return Verdict::kDone;
  }

  /// "VALUE key flags size\r\n" as it must be for this key; returns its length.
  size_t write_head(uint32_t key, char* to) const {
    char* end = write_key(key, put(to, "VALUE "));
    *end++ = ' ';
    end = put(write_flags(key, end), size_text_);
    return static_cast<size_t>(end - to);
  }

  Verdict check_value(std::string_view& in, Request& request, Tally& tally) const {
    char head[kLongestKey + 64];
    size_t head_size = 0;
    size_t match = request.count;
    // Servers answer in the order asked and so does nearly every proxy: the first try is nearly always right.
    for (size_t i = request.answered, tried = 0; tried < request.count; ++tried, i = (i + 1) % request.count) {
      if (i >= request.count) i = 0;
      if ((request.found >> i & 1) != 0) continue;
      head_size = write_head(key_of(request, i), head);
      if (in.starts_with(std::string_view(head, head_size))) {
        match = i;
        break;
      }
      // A whole line of another size belongs to no key; only an unfinished one may still become right.
      if (in.size() < head_size && in.find('\n') == std::string_view::npos) return Verdict::kNeedMore;
    }
    if (match == request.count) return Verdict::kBroken;
    const size_t whole = head_size + keys_.value_size() + 2;
    if (in.size() < whole) return Verdict::kNeedMore;
    if (in[whole - 2] != '\r' || in[whole - 1] != '\n') return Verdict::kBroken;
    if (!keys_.value_is(key_of(request, match), in.data() + head_size)) {
      ++tally.wrong;
      show_wrong("value of another key", in);
    } else {
      ++tally.hits;
    }
    if (match < static_cast<size_t>(64 - std::countl_zero(request.found))) {
      ++tally.reordered;
      if (strict_order_) return Verdict::kBroken;
    }
    request.found |= uint64_t{1} << match;
    ++request.answered;
    in.remove_prefix(whole);
    return Verdict::kDone;
  }

  const std::string size_text_;
};

}  // namespace

std::unique_ptr<Wire> make_memcache_wire(const Keyspace& keys, bool strict_order) {
  return std::make_unique<MemcacheWire>(keys, strict_order);
}

}  // namespace loadgen
