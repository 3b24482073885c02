#include "config/server_line.h"

#include <charconv>
#include <optional>

#include "hashing/ketama.h"

namespace overlord::config {

namespace {

// Past this a weight says nothing that a smaller one cannot.
constexpr uint32_t kHighestWeight = 1'000'000'000;
constexpr uint16_t kPortLeftOut = 11211;  // twemproxy leaves it out of a node's name

bool has_control_byte(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

Result<uint32_t> parse_weight(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t weight = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size())
    return fail("the weight must be a whole number");
  if (weight == 0) return fail("the weight is 0; leave the server out to give it no keys");
  if (weight < 0 || weight > kHighestWeight)
    return fail("the weight must be from 1 to " + std::to_string(kHighestWeight));
  return static_cast<uint32_t>(weight);
}

// The name in the ring of a server without an alias: its address in the very words of the file, because the
// words decide where keys lie.
std::string ring_name(const Address& address, std::string_view words, hashing::Compat compat) {
  if (address.kind == Address::Kind::unix_socket) return hashing::ring_name(address.path, 0, {}, compat);
  if (compat == hashing::Compat::overlord || address.port != kPortLeftOut) return std::string(words);
  return std::string(words.substr(0, words.rfind(':')));
}

Result<ServerLine> parse_seed(std::string_view text) {
  ServerLine line;
  std::string_view words = text;
  // HOST:PORT:rest is what an old file may hold where servers of another type stood before.
  if (!text.starts_with('[') && !text.starts_with('/')) {
    const size_t first = text.find(':');
    const size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
    if (second != std::string_view::npos && !text.starts_with("unix:")) {
      words = text.substr(0, second);
      line.note = "a seed is HOST:PORT; \"" + std::string(text.substr(second)) + "\" is left out";
    }
  }
  auto address = parse_backend_address(words);
  if (!address) return fail(address.error().message + "; write HOST:PORT");
  line.server.address = *address;
  line.server.ring_name = words;
  return line;
}

}  // namespace

Result<ServerLine> parse_server_line(std::string_view text, CacheType type, hashing::Compat compat) {
  if (has_control_byte(text)) return fail("a control character; write HOST:PORT:WEIGHT ALIAS");
  if (type == CacheType::redis_cluster) return parse_seed(text);

  const auto bad = [](const std::string& what) {
    return fail(what + "; write HOST:PORT:WEIGHT or HOST:PORT:WEIGHT ALIAS, like 127.0.0.1:6379:1 redis1");
  };
  ServerLine line;
  const size_t space = text.find(' ');
  if (space != std::string_view::npos) {
    const std::string_view alias = text.substr(space + 1);
    if (alias.empty() || alias.find(' ') != std::string_view::npos)
      return bad("one space and one alias may follow the weight");
    line.server.alias = alias;
  }
  const std::string_view place = text.substr(0, space);
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return bad("the port and the weight are missing");
  const std::string_view words = place.substr(0, colon);

  auto address = parse_backend_address(words);
  if (!address) {
    if (parse_backend_address(place)) return bad("the weight is missing");
    return bad(address.error().message);
  }
  auto weight = parse_weight(place.substr(colon + 1));
  if (!weight) return bad(weight.error().message);

  line.server.address = *address;
  line.server.weight = *weight;
  line.server.ring_name = line.server.alias.empty() ? ring_name(*address, words, compat) : line.server.alias;
  return line;
}

Result<ServerLine> parse_master_line(std::string_view text) {
  const auto bad = [](const std::string& what) {
    return fail(what + "; write NAME, NAME:WEIGHT or NAME:WEIGHT ALIAS, like mymaster:1 redis1");
  };
  if (has_control_byte(text)) return bad("a control character");
  ServerLine line;
  const size_t space = text.find(' ');
  if (space != std::string_view::npos) {
    const std::string_view alias = text.substr(space + 1);
    if (alias.empty() || alias.find(' ') != std::string_view::npos) return bad("one space and one alias may follow");
    line.server.alias = alias;
  }
  std::string_view name = text.substr(0, space);
  if (const size_t colon = name.rfind(':'); colon != std::string_view::npos) {
    auto weight = parse_weight(name.substr(colon + 1));
    if (!weight) return bad(weight.error().message);
    line.server.weight = *weight;
    name = name.substr(0, colon);
  }
  if (name.empty()) return bad("the name is missing");
  line.server.address.kind = Address::Kind::sentinel;
  line.server.address.path = name;
  line.server.ring_name = line.server.alias.empty() ? std::string(name) : line.server.alias;
  return line;
}

}  // namespace overlord::config
