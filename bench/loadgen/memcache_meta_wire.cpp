#include <charconv>
#include <string>

#include "loadgen/wire.h"

namespace loadgen {
namespace {

/// mg KEY f v, and ms KEY SIZE F<flags>.
class MemcacheMetaWire : public Wire {
 public:
  explicit MemcacheMetaWire(const Keyspace& keys)
      : Wire(keys, true), size_text_(" " + std::to_string(keys.value_size())) {}

  size_t max_request_size() const override { return 64 + keys_.key_size() + keys_.value_size(); }

  char* write(const Request& request, char* to) const override {
    const bool set = request.op == Op::kSet;
    to = put(to, set ? "ms " : "mg ");
    keys_.write_key(request.key, to);
    to += keys_.key_size();
    if (!set) return put(to, " f v\r\n");
    to = put(write_flags(request.key, put(put(to, size_text_), " F")), "\r\n");
    keys_.write_value(request.key, to);
    return put(to + keys_.value_size(), "\r\n");
  }

  Verdict check(std::string_view& in, Request& request, Tally& tally) const override {
    char head[64];
    const char* end = put(write_flags(request.key, put(put(put(head, "VA"), size_text_), " f")), "\r\n");
    const std::string_view wanted(head, static_cast<size_t>(end - head));
    if (request.op == Op::kSet || !in.starts_with(wanted)) return check_line(in, request, tally);
    const size_t whole = wanted.size() + keys_.value_size() + 2;
    if (in.size() < whole) return Verdict::kNeedMore;
    if (in[whole - 2] != '\r' || in[whole - 1] != '\n') return Verdict::kBroken;
    if (keys_.value_is(request.key, in.data() + wanted.size())) {
      ++tally.hits;
    } else {
      ++tally.wrong;
      show_wrong("value of another key", in);
    }
    in.remove_prefix(whole);
    return Verdict::kDone;
  }

 private:
  static char* write_flags(uint32_t key, char* to) { return std::to_chars(to, to + 5, Keyspace::flags(key)).ptr; }

  static Verdict check_line(std::string_view& in, const Request& request, Tally& tally) {
    std::string_view line;
    if (const Verdict v = first_line(in, line); v != Verdict::kDone) return v;
    if (line == "ERROR" || line == "NS" || line.starts_with("CLIENT_ERROR ") || line.starts_with("SERVER_ERROR "))
      ++tally.errors;
    else if (request.op == Op::kGet && line == "EN")
      ++tally.misses;
    else if (request.op != Op::kSet || line != "HD")
      return Verdict::kBroken;
    in.remove_prefix(line.size() + 2);
    return Verdict::kDone;
  }

  const std::string size_text_;
};

}  // namespace

std::unique_ptr<Wire> make_memcache_meta_wire(const Keyspace& keys) { return std::make_unique<MemcacheMetaWire>(keys); }

}  // namespace loadgen
