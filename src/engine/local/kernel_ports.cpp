#include "engine/local/kernel_ports.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace overlord::engine {
namespace {

constexpr size_t kWord = 8;  // hex digits of 32 bits
constexpr std::string_view kListening = "0A";

// The kernel prints addresses as 32-bit words of the host's byte order.
std::optional<std::string> address_of(std::string_view hex) {
  std::array<uint32_t, 4> words{};
  const size_t count = hex.size() / kWord;
  if (hex.size() % kWord != 0 || (count != 1 && count != words.size())) return std::nullopt;
  bool any = true;
  for (size_t i = 0; i < count; ++i) {
    const char* const from = hex.data() + i * kWord;
    const auto [end, failure] = std::from_chars(from, from + kWord, words[i], 16);
    if (failure != std::errc{} || end != from + kWord) return std::nullopt;
    any = any && words[i] == 0;
  }
  if (any) return std::string();
  char text[INET6_ADDRSTRLEN];
  if (count == 1) return std::string(::inet_ntop(AF_INET, words.data(), text, sizeof text));
  const std::string six = ::inet_ntop(AF_INET6, words.data(), text, sizeof text);
  constexpr std::string_view kMapped = "::ffff:";
  return six.starts_with(kMapped) && six.contains('.') ? six.substr(kMapped.size()) : six;
}

std::string text_of(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::vector<Listener> listeners_in(std::string_view table) {
  std::vector<Listener> all;
  while (!table.empty()) {
    const std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(line.size() + 1, table.size()));
    // "  0: 0100007F:1A0B 00000000:0000 0A ..."
    std::array<std::string_view, 4> words{};
    size_t at = 0;
    for (std::string_view& word : words) {
      at = std::min(line.find_first_not_of(' ', at), line.size());
      word = line.substr(at, std::min(line.find(' ', at), line.size()) - at);
      at += word.size();
    }
    const size_t colon = words[1].find(':');
    if (words[3] != kListening || colon == std::string_view::npos) continue;
    Listener found;
    const std::string_view port = words[1].substr(colon + 1);
    const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), found.port, 16);
    const auto address = address_of(words[1].substr(0, colon));
    if (failure != std::errc{} || end != port.data() + port.size() || !address) continue;
    found.address = *address;
    all.push_back(std::move(found));
  }
  return all;
}

std::vector<Listener> listeners() {
  std::vector<Listener> all = listeners_in(text_of("/proc/net/tcp"));
  for (Listener& each : listeners_in(text_of("/proc/net/tcp6"))) all.push_back(std::move(each));
  return all;
}

std::vector<uint16_t> taken_ports(const std::vector<Listener>& all, std::string_view address) {
  std::vector<uint16_t> ports;
  for (const Listener& each : all) {
    if (each.address.empty() || each.address == address) ports.push_back(each.port);
  }
  std::ranges::sort(ports);
  ports.erase(std::ranges::unique(ports).begin(), ports.end());
  return ports;
}

}  // namespace overlord::engine
