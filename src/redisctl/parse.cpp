#include <algorithm>
#include <charconv>

#include "redisctl/admin.h"

namespace overlord::redisctl {
namespace {

constexpr uint32_t kSlots = 16384;

std::string_view next_word(std::string_view& rest, char end) {
  const size_t at = rest.find(end);
  const std::string_view word = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return word;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<uint16_t> slot(std::string_view text) {
  const auto value = number<uint32_t>(text);
  if (!value || *value >= kSlots) return std::nullopt;
  return static_cast<uint16_t>(*value);
}

// "1-5", "7", "[93-<-ID]", "[77->-ID]".
bool read_slots(std::string_view word, ClusterNode& node) {
  if (word.starts_with('[')) {
    if (!word.ends_with(']')) return false;
    word = word.substr(1, word.size() - 2);
    const size_t arrow = word.find("-<-") != std::string_view::npos ? word.find("-<-") : word.find("->-");
    if (arrow == std::string_view::npos) return false;
    const auto which = slot(word.substr(0, arrow));
    if (!which) return false;
    (word[arrow + 1] == '<' ? node.importing : node.migrating)[*which] = word.substr(arrow + 3);
    return true;
  }
  const size_t dash = word.find('-');
  const auto first = slot(word.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : slot(word.substr(dash + 1));
  if (!first || !last || *last < *first) return false;
  node.slots.push_back({*first, *last});
  return true;
}

bool read_flags(std::string_view flags, ClusterNode& node) {
  while (!flags.empty()) {
    const std::string_view flag = next_word(flags, ',');
    if (flag == "myself") node.myself = true;
    if (flag == "master") node.master = true;
    if (flag == "fail") node.failed = true;
    if (flag == "fail?") node.suspected = true;
    if (flag == "handshake") node.handshake = true;
  }
  return true;
}

// "10.0.0.1:7000@17000,hostname"; of a node that has not been heard of ":0@0".
bool read_address(std::string_view text, ClusterNode& node) {
  text = text.substr(0, text.find(','));
  text = text.substr(0, text.find('@'));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto port = number<uint16_t>(text.substr(colon + 1));
  if (!port) return false;
  node.host = text.substr(0, colon);
  node.port = *port;
  return true;
}

}  // namespace

Result<Topology> parse_topology(std::string_view text) {
  Topology topology;
  while (!text.empty()) {
    std::string_view line = next_word(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string shown(line.substr(0, 200));
    ClusterNode node;
    node.id = next_word(line, ' ');
    bool good = !node.id.empty() && read_address(next_word(line, ' '), node) && read_flags(next_word(line, ' '), node);
    const std::string_view master = next_word(line, ' ');
    if (master != "-") node.master_id = master;
    next_word(line, ' ');  // ping sent
    next_word(line, ' ');  // pong received
    const auto epoch = number<uint64_t>(next_word(line, ' '));
    node.epoch = epoch.value_or(0);
    const std::string_view link = next_word(line, ' ');
    node.connected = link == "connected";
    good = good && epoch && (node.connected || link == "disconnected");
    while (good && !line.empty()) {
      const std::string_view word = next_word(line, ' ');
      good = word.empty() || read_slots(word, node);
    }
    if (!good) return fail("CLUSTER NODES has a line that cannot be read: " + shown);
    std::ranges::sort(node.slots, {}, &SlotRange::first);
    topology.push_back(std::move(node));
  }
  if (myself(topology) == nullptr) return fail("CLUSTER NODES does not name the node itself");
  return topology;
}

const ClusterNode* find(const Topology& topology, std::string_view id) {
  const auto found = std::ranges::find(topology, id, &ClusterNode::id);
  return found == topology.end() ? nullptr : &*found;
}

const ClusterNode* myself(const Topology& topology) {
  const auto found = std::ranges::find(topology, true, &ClusterNode::myself);
  return found == topology.end() ? nullptr : &*found;
}

}  // namespace overlord::redisctl
