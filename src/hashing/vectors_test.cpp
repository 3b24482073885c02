// Every vector of tests/data/hash-vectors.json: placement is byte-exact or keys move.

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"
#include "hashing/slot.h"

namespace overlord::hashing {
namespace {

using nlohmann::json;

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string hex(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::set<std::string> names_of(const json& object) {
  std::set<std::string> names;
  for (const auto& item : object.items()) names.insert(item.key());
  return names;
}

const json& vectors() {
  static const json loaded = [] {
    std::ifstream file(OVERLORD_SOURCE_DIR "/tests/data/hash-vectors.json");
    return json::parse(file);
  }();
  return loaded;
}

const std::vector<std::string>& keys() {
  static const std::vector<std::string> loaded = [] {
    std::vector<std::string> texts;
    for (const json& key : vectors().at("keys")) texts.push_back(unhex(key.at("hex")));
    return texts;
  }();
  return loaded;
}

Method method_of(const std::string& name) {
  const auto method = parse_method(name);
  EXPECT_TRUE(method) << name;
  return method.value_or(kDefaultMethod);
}

// "host:port:weight" or "host:port:weight alias", of which the ring needs name and weight.
RingNode node_of(const std::string& server, Compat compat) {
  const std::size_t first = server.find(':');
  const std::size_t second = server.find(':', first + 1);
  const std::size_t space = server.find(' ');
  const auto port = static_cast<std::uint16_t>(std::stoi(server.substr(first + 1)));
  const auto weight = static_cast<std::uint32_t>(std::stoul(server.substr(second + 1)));
  const std::string alias = space == std::string::npos ? "" : server.substr(space + 1);
  return {ring_name(server.substr(0, first), port, alias, compat), weight};
}

std::vector<RingNode> nodes_of(const json& ring, Compat compat) {
  std::vector<RingNode> nodes;
  for (const json& server : ring.at("servers")) nodes.push_back(node_of(server, compat));
  return nodes;
}

std::vector<std::size_t> points_per_node(const std::vector<RingPoint>& points, std::size_t nodes) {
  std::vector<std::size_t> counts(nodes);
  for (const RingPoint& point : points) ++counts.at(point.node);
  return counts;
}

std::string sha256(const std::vector<RingPoint>& points) {
  std::vector<unsigned char> bytes;
  for (const RingPoint& point : points) {
    for (const std::uint32_t word : {point.value, point.node}) {
      for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<unsigned char>(word >> (8 * i)));
    }
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes.data(), bytes.size(), digest);
  return hex(digest);
}

void expect_points(std::span<const RingPoint> points, const json& expected) {
  ASSERT_EQ(points.size(), expected.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const RingPoint point{expected[i][0], expected[i][1]};
    ASSERT_EQ(points[i], point) << "point " << i;
  }
}

TEST(Vectors, HaveNoSectionThatNothingChecks) {
  const std::set<std::string> prose = {"about", "how", "notes", "ring_sha256"};
  const std::set<std::string> checked = {
      "methods",
      "keys",
      "raw_hash",
      "raw_hash_twemproxy_signed_char_differs_at",
      "twemproxy_only_raw_hash",
      "crc16",
      "crc16_slot",
      "cluster_slot_with_tag_{}",
      "node_connection_index_of_2_full_key",
      "hash_tag_cases",
      "rings",
  };
  std::set<std::string> all = prose;
  all.insert(checked.begin(), checked.end());
  EXPECT_EQ(names_of(vectors()), all);
}

TEST(Vectors, KeysAreWhatTheirTextSays) {
  EXPECT_EQ(keys().size(), 200u);
  std::size_t with_text = 0;
  for (std::size_t i = 0; i < keys().size(); ++i) {
    const json& key = vectors().at("keys")[i];
    if (!key.contains("text")) continue;
    ++with_text;
    EXPECT_EQ(keys()[i], key.at("text").get<std::string>());
  }
  EXPECT_GT(with_text, 100u);
}

TEST(Vectors, MethodsAreTheOnesWeKnow) {
  std::set<std::string> methods;
  for (const json& name : vectors().at("methods")) methods.insert(name);
  EXPECT_EQ(methods.size(), 11u);
  EXPECT_EQ(methods, names_of(vectors().at("raw_hash")));
  EXPECT_EQ(methods, names_of(vectors().at("raw_hash_twemproxy_signed_char_differs_at")));
  EXPECT_EQ(names_of(vectors().at("twemproxy_only_raw_hash")), std::set<std::string>{"jenkins"});
}

TEST(Vectors, RawHashOfEveryMethod) {
  for (const auto& [name, values] : vectors().at("raw_hash").items()) {
    const Method method = method_of(name);
    ASSERT_EQ(values.size(), keys().size());
    for (std::size_t i = 0; i < keys().size(); ++i) {
      EXPECT_EQ(hash(method, Compat::overlord, keys()[i]), values[i].get<std::uint32_t>()) << name << " of key " << i;
    }
  }
}

TEST(Vectors, TwemproxyHashDiffersExactlyWhereItsSignedBytesDo) {
  const json& sections = vectors().at("raw_hash_twemproxy_signed_char_differs_at");
  for (const auto& [name, at] : sections.items()) {
    const Method method = method_of(name);
    std::vector<std::size_t> differs;
    for (std::size_t i = 0; i < keys().size(); ++i) {
      const std::uint32_t ours = vectors().at("raw_hash").at(name)[i];
      if (hash(method, Compat::twemproxy, keys()[i]) != ours) differs.push_back(i);
    }
    EXPECT_EQ(differs, at.get<std::vector<std::size_t>>()) << name;
  }
}

TEST(Vectors, JenkinsIsTheSameUnderBoth) {
  const json& values = vectors().at("twemproxy_only_raw_hash").at("jenkins");
  ASSERT_EQ(values.size(), keys().size());
  for (std::size_t i = 0; i < keys().size(); ++i) {
    EXPECT_EQ(hash(Method::jenkins, Compat::twemproxy, keys()[i]), values[i]) << "key " << i;
    EXPECT_EQ(hash(Method::jenkins, Compat::overlord, keys()[i]), values[i]) << "key " << i;
  }
}

TEST(Vectors, Crc16SlotAndConnection) {
  const json& tagged = vectors().at("cluster_slot_with_tag_{}");
  ASSERT_EQ(names_of(tagged), (std::set<std::string>{"original", "redis"}));
  const HashTag original("{}", Compat::overlord);
  const HashTag redis("{}", Compat::twemproxy);
  for (std::size_t i = 0; i < keys().size(); ++i) {
    const std::string& key = keys()[i];
    EXPECT_EQ(crc16(key), vectors().at("crc16").at(i)) << "key " << i;
    EXPECT_EQ(slot(key), vectors().at("crc16_slot").at(i)) << "key " << i;
    EXPECT_EQ(slot(original.trim(key)), tagged.at("original").at(i)) << "key " << i;
    EXPECT_EQ(slot(redis.trim(key)), tagged.at("redis").at(i)) << "key " << i;
    EXPECT_EQ(crc16(key) % 2, vectors().at("node_connection_index_of_2_full_key").at(i)) << "key " << i;
  }
}

TEST(Vectors, HashTagCases) {
  const json& cases = vectors().at("hash_tag_cases");
  EXPECT_EQ(cases.size(), 84u);
  for (const json& one : cases) {
    ASSERT_EQ(names_of(one), (std::set<std::string>{"tag", "key", "original", "twemproxy_and_redis"}));
    const std::string tag = one.at("tag");
    const std::string key = one.at("key");
    EXPECT_EQ(HashTag(tag, Compat::overlord).trim(key), one.at("original").get<std::string>()) << tag << " " << key;
    EXPECT_EQ(HashTag(tag, Compat::twemproxy).trim(key), one.at("twemproxy_and_redis").get<std::string>())
        << tag << " " << key;
  }
}

TEST(Vectors, RingsPointForPointAndKeyForKey) {
  ASSERT_EQ(vectors().at("rings").size(), 14u);
  for (const json& ring : vectors().at("rings")) {
    SCOPED_TRACE(ring.at("name").get<std::string>());
    std::set<std::string> sections = names_of(ring);
    sections.erase("points");
    ASSERT_EQ(sections, (std::set<std::string>{"name", "servers", "nodes", "weights", "points_per_server", "n_points",
                                               "ring_sha256", "first_points", "last_points", "map", "twemproxy"}));
    const std::vector<RingNode> nodes = nodes_of(ring, Compat::overlord);
    ASSERT_EQ(nodes.size(), ring.at("nodes").size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      EXPECT_EQ(nodes[i].name, ring.at("nodes")[i].get<std::string>());
      EXPECT_EQ(nodes[i].weight, ring.at("weights")[i]);
    }
    const std::vector<RingPoint> points = ketama_points(nodes, Compat::overlord);
    EXPECT_EQ(points.size(), ring.at("n_points"));
    EXPECT_EQ(points_per_node(points, nodes.size()), ring.at("points_per_server").get<std::vector<std::size_t>>());
    EXPECT_EQ(sha256(points), ring.at("ring_sha256").get<std::string>());
    const std::span<const RingPoint> span(points);
    expect_points(span.first(ring.at("first_points").size()), ring.at("first_points"));
    expect_points(span.last(ring.at("last_points").size()), ring.at("last_points"));
    if (ring.contains("points")) expect_points(span, ring.at("points"));

    const Ring built(nodes, Distribution::ketama, Compat::overlord);
    EXPECT_EQ(names_of(ring.at("map")), names_of(vectors().at("raw_hash")));
    for (const auto& [name, owners] : ring.at("map").items()) {
      ASSERT_EQ(owners.size(), keys().size());
      const HashFn function = hash_function(method_of(name), Compat::overlord);
      for (std::size_t i = 0; i < keys().size(); ++i) {
        EXPECT_EQ(built.lookup(function(keys()[i])), owners[i]) << name << " of key " << i;
      }
    }
  }
}

// How far twemproxy's ring is from the original's, with its own names and with the same names.
TEST(Vectors, RingsUnderTwemproxy) {
  for (const json& ring : vectors().at("rings")) {
    SCOPED_TRACE(ring.at("name").get<std::string>());
    const std::map<std::string, std::vector<RingNode>> variants = {
        {"own_names", nodes_of(ring, Compat::twemproxy)},
        {"same_names", nodes_of(ring, Compat::overlord)},
    };
    ASSERT_EQ(names_of(ring.at("twemproxy")), (std::set<std::string>{"own_names", "same_names"}));
    const auto original = ketama_points(variants.at("same_names"), Compat::overlord);
    for (const auto& [variant, nodes] : variants) {
      SCOPED_TRACE(variant);
      const json& expected = ring.at("twemproxy").at(variant);
      ASSERT_EQ(names_of(expected),
                (std::set<std::string>{"points_per_server", "ring_equal", "keys_mapped_differently"}));
      const std::vector<RingPoint> points = ketama_points(nodes, Compat::twemproxy);
      EXPECT_EQ(points_per_node(points, nodes.size()),
                expected.at("points_per_server").get<std::vector<std::size_t>>());
      EXPECT_EQ(points == original, expected.at("ring_equal").get<bool>());
      const Ring built(nodes, Distribution::ketama, Compat::twemproxy);
      EXPECT_EQ(names_of(expected.at("keys_mapped_differently")), names_of(ring.at("map")));
      for (const auto& [name, count] : expected.at("keys_mapped_differently").items()) {
        const HashFn function = hash_function(method_of(name), Compat::overlord);
        std::size_t moved = 0;
        for (std::size_t i = 0; i < keys().size(); ++i) {
          if (built.lookup(function(keys()[i])) != ring.at("map").at(name)[i]) ++moved;
        }
        EXPECT_EQ(moved, count) << name;
      }
    }
  }
}

}  // namespace
}  // namespace overlord::hashing
