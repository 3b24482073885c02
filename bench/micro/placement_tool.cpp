// placement-tool: says which server of a cluster gets each key.
//
//   placement-tool --compat=twemproxy --hash=murmur --distribution=ketama --tag='{}' SERVER... < keys
//
// A server is host:port:weight or /path/of/socket:weight, and with a space and an alias behind it.
//
// Standard input: one key a line, in hexadecimal. Standard output: the index of its server, a line
// each. Options not given: overlord, fnv1a_64, ketama, the compat's meaning of an empty hash_tag.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"

namespace {

using namespace overlord::hashing;

struct Options {
  Compat compat = Compat::overlord;
  Method method = kDefaultMethod;
  Distribution distribution = Distribution::ketama;
  std::string_view tag;
  std::vector<std::string_view> servers;
};

template <typename Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

bool set_option(Options& options, std::string_view name, std::string_view value) {
  if (name == "compat" && (value == "overlord" || value == "twemproxy")) {
    options.compat = value == "overlord" ? Compat::overlord : Compat::twemproxy;
    return true;
  }
  if (const auto method = parse_method(value); name == "hash" && method) {
    options.method = *method;
    return true;
  }
  if (const auto distribution = parse_distribution(value); name == "distribution" && distribution) {
    options.distribution = *distribution;
    return true;
  }
  if (name == "tag") {
    options.tag = value;
    return true;
  }
  return false;
}

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) {
      options.servers.push_back(argument);
      continue;
    }
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos ||
        !set_option(options, argument.substr(2, equals - 2), argument.substr(equals + 1))) {
      std::cerr << "placement-tool: cannot use " << argument << '\n';
      return std::nullopt;
    }
  }
  return options;
}

// host:port:weight[ alias], or path:weight[ alias] where the path starts with a slash.
std::optional<RingNode> parse_server(std::string_view server, Compat compat) {
  std::string_view alias;
  if (const std::size_t space = server.find(' '); space != std::string_view::npos) {
    alias = server.substr(space + 1);
    server = server.substr(0, space);
  }
  const std::size_t weight_at = server.rfind(':');
  RingNode node;
  if (weight_at == std::string_view::npos || !parse_number(server.substr(weight_at + 1), node.weight)) {
    return std::nullopt;
  }
  std::string_view host = server.substr(0, weight_at);
  std::uint16_t port = 0;
  if (!host.starts_with('/')) {
    const std::size_t port_at = host.rfind(':');
    if (port_at == std::string_view::npos || !parse_number(host.substr(port_at + 1), port)) {
      return std::nullopt;
    }
    host = host.substr(0, port_at);
  }
  node.name = ring_name(host, port, alias, compat);
  return node;
}

bool unhex(std::string_view text, std::string& key) {
  key.clear();
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    if (!parse_number(text.substr(i, 2), byte, 16)) return false;
    key += static_cast<char>(byte);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return 2;
  std::vector<RingNode> nodes;
  for (const std::string_view server : options->servers) {
    auto node = parse_server(server, options->compat);
    if (!node) {
      std::cerr << "placement-tool: not host:port:weight [alias]: " << server << '\n';
      return 2;
    }
    nodes.push_back(std::move(*node));
  }
  const Ring ring(nodes, options->distribution, options->compat);
  if (ring.empty()) {
    std::cerr << "placement-tool: no server can get a key\n";
    return 2;
  }
  const HashFn function = hash_function(options->method, options->compat);
  const HashTag tag = HashTag::from_config(options->tag, options->compat);
  std::ios::sync_with_stdio(false);
  std::string key;
  for (std::string line; std::getline(std::cin, line);) {
    if (!unhex(line, key)) {
      std::cerr << "placement-tool: not hexadecimal: " << line << '\n';
      return 2;
    }
    std::cout << ring.lookup(function(tag.trim(key))) << '\n';
  }
}
