#include "loadgen/wire.h"

#include <cstdio>
#include <string>

namespace loadgen {

std::unique_ptr<Wire> make_wire(const Options& options, const Keyspace& keys) {
  const bool resp3 = options.protocol == Protocol::kResp3;
  switch (options.protocol) {
    case Protocol::kRedis:
    case Protocol::kResp3:
      if (options.shape != Shape::kString) return make_redis_collection_wire(keys, resp3, options.shape);
      return make_redis_wire(keys, resp3, options.strict_order);
    case Protocol::kMemcache: return make_memcache_wire(keys, options.strict_order);
    case Protocol::kMeta: return make_memcache_meta_wire(keys);
    case Protocol::kBinary: return make_memcache_binary_wire(keys);
  }
  return nullptr;
}

Verdict first_line(std::string_view in, std::string_view& line) {
  constexpr size_t kLongestLine = 4096;
  const size_t end = in.substr(0, kLongestLine).find('\n');
  if (end == std::string_view::npos) return in.size() < kLongestLine ? Verdict::kNeedMore : Verdict::kBroken;
  if (end == 0 || in[end - 1] != '\r') return Verdict::kBroken;
  line = in.substr(0, end - 1);
  return Verdict::kDone;
}

void show_wrong(std::string_view what, std::string_view got) {
  static int shown = 0;
  if (++shown > 5) return;
  std::string text;
  for (const char c : got.substr(0, 120)) {
    if (c == '\r')
      text += "\\r";
    else if (c == '\n')
      text += "\\n";
    else if (c >= ' ' && c <= '~')
      text += c;
    else
      text += '?';
  }
  std::fprintf(stderr, "wrong reply: %.*s: %s\n", static_cast<int>(what.size()), what.data(), text.c_str());
}

}  // namespace loadgen
