// PROXY headers: whatever the bytes, what is taken lies in them, and a header means the same however it is cut.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/proxy_header.h"

using namespace overlord::net;
using State = ParsedProxyHeader::State;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const ParsedProxyHeader& a, const ParsedProxyHeader& b) {
  return a.state == b.state && a.used == b.used && a.header.tells == b.header.tells &&
         a.header.source == b.header.source && a.header.destination == b.header.destination;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ParsedProxyHeader all = parse_proxy_header(bytes);
  switch (all.state) {
    case State::need_more: require(size < kMostProxyBlock); break;
    case State::bad: require(!all.problem.empty()); break;
    case State::whole:
      require(all.used > 0 && all.used <= size && all.used <= kMostProxyBlock);
      // Exactly these bytes, and none before the last, make it whole.
      require(same(parse_proxy_header(bytes.substr(0, all.used)), all));
      for (size_t cut = 0; cut < all.used; ++cut) {
        require(parse_proxy_header(bytes.substr(0, cut)).state == State::need_more);
      }
      if (all.header.tells) {
        require(all.header.source.family() == all.header.destination.family());
        (void)to_string(all.header.source);
        (void)to_string(all.header.destination);
      }
      break;
  }
  return 0;
}
