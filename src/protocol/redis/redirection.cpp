#include "protocol/redis/redirection.h"

#include "protocol/redis/length_line.h"
#include "protocol/redis/topology.h"

namespace overlord::redis {
namespace {

constexpr int64_t kSlotCount = 16384;

// "3999 127.0.0.1:6381", the host being an IPv6 address without brackets, a name, or nothing.
bool read_place(std::string_view text, Redirection& out) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  int64_t slot = 0;
  if (!parse_number(text.substr(0, space), slot) || slot < 0 || slot >= kSlotCount) return false;
  std::string_view place = text.substr(space + 1);
  if (const size_t end = place.find(' '); end != std::string_view::npos) place = place.substr(0, end);
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return false;
  int64_t port = 0;
  if (!parse_number(place.substr(colon + 1), port) || port < 1 || port > 65535) return false;
  const std::string_view host = place.substr(0, colon);
  if (!host.empty() && !is_host(host)) return false;
  out.slot = static_cast<uint16_t>(slot);
  out.port = static_cast<uint16_t>(port);
  out.host = host;
  return true;
}

}  // namespace

Redirection parse_redirection(std::string_view line) {
  using Kind = Redirection::Kind;
  Redirection out;
  if (line.size() < 3 || line[0] != '-' || !line.ends_with("\r\n")) return out;
  const std::string_view text = line.substr(1, line.size() - 3);
  const size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  const std::string_view rest = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  if (word == "MOVED" || word == "ASK") {
    if (read_place(rest, out)) out.kind = word == "ASK" ? Kind::ask : Kind::moved;
  } else if (word == "TRYAGAIN") {
    out.kind = Kind::try_again;
  } else if (word == "CLUSTERDOWN") {
    out.kind = rest.starts_with("Hash slot not served") ? Kind::slot_not_served : Kind::cluster_down;
  } else if (word == "LOADING") {
    out.kind = Kind::loading;
  } else if (word == "MASTERDOWN") {
    out.kind = Kind::master_down;
  }
  return out;
}

}  // namespace overlord::redis
