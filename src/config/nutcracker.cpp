#include "config/nutcracker.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "config/file_text.h"
#include "config/keys.h"
#include "config/loader.h"
#include "config/nutcracker_pool.h"
#include "config/reporter.h"

namespace overlord::config {

namespace {

Position position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
}

class PoolReader {
 public:
  PoolReader(NutcrackerPool& pool, Reporter& reporter) : pool_(pool), reporter_(reporter) {}

  void read(const YAML::Node& map) {
    if (!map.IsMap()) return error(pool_.at, "", "expected a pool's settings", "write them indented below the name");
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      const Position at = position(entry.first.Mark());
      const std::optional<std::string> key = scalar(entry.first);
      if (!key) {
        error(at, "", "a key that is no plain text");
        continue;
      }
      if (std::find(seen.begin(), seen.end(), *key) != seen.end()) {
        error(at, *key, "the same key twice", "keep one of them");
        continue;
      }
      seen.push_back(*key);
      read_entry(*key, at, entry.second);
    }
  }

 private:
  static std::optional<std::string> scalar(const YAML::Node& node) {
    if (!node.IsScalar()) return std::nullopt;
    return node.Scalar();
  }

  void error(Position at, const std::string& key, std::string message, std::string fix = {}) {
    reporter_.error(at, pool_.name + (key.empty() ? "" : "." + key), std::move(message), std::move(fix));
  }

  void read_entry(const std::string& key, Position at, const YAML::Node& node) {
    if (key == "servers") return read_servers(at, node);
    const auto names = nutcracker_settings();
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      const std::string_view near = nearest(key, names);
      return error(at, key, "unknown key", near.empty() ? "" : "did you mean " + std::string(near) + "?");
    }
    const Position value_at = position(node.Mark());
    const std::optional<std::string> value = scalar(node);
    if (!value) return error(value_at.line == 0 ? at : value_at, key, "expected a single value");
    const auto [message, fix] = pool_.set(key, *value, value_at);
    if (!message.empty()) error(value_at, key, message, fix);
  }

  void read_servers(Position at, const YAML::Node& node) {
    pool_.has_servers = true;
    if (!node.IsSequence() || node.size() == 0)
      return error(at, "servers", "expected a list of servers", "write lines like - 127.0.0.1:6379:1 redis1");
    for (const auto& item : node) {
      const Position item_at = position(item.Mark());
      const std::optional<std::string> text = scalar(item);
      if (!text)
        error(item_at, "servers", "expected a single value");
      else
        pool_.servers.emplace_back(*text, item_at);
    }
  }

  NutcrackerPool& pool_;
  Reporter& reporter_;
};

std::vector<NutcrackerPool> read_pools(const YAML::Node& root, Reporter& reporter) {
  std::vector<NutcrackerPool> pools;
  if (!root.IsMap() || root.size() == 0) {
    reporter.error({}, "", "no pool in the file", "a twemproxy file is a map of pool names to their settings");
    return pools;
  }
  for (const auto& entry : root) {
    NutcrackerPool pool;
    pool.at = position(entry.first.Mark());
    if (!entry.first.IsScalar()) {
      reporter.error(pool.at, "", "a pool whose name is no plain text");
      continue;
    }
    pool.name = entry.first.Scalar();
    if (!entry.second.IsMap()) {
      reporter.error(pool.at, pool.name, "expected a pool's settings", "write them indented below the name");
      continue;
    }
    PoolReader(pool, reporter).read(entry.second);
    pools.push_back(std::move(pool));
  }
  return pools;
}

}  // namespace

ConvertOutcome convert_nutcracker_text(std::string_view yaml, const std::string& file) {
  Reporter reporter(file);
  std::string toml;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    std::vector<NutcrackerPool> pools = read_pools(root, reporter);
    toml = "# Made from a twemproxy file by overlord-proxy -convert-nutcracker.\n";
    for (NutcrackerPool& pool : pools) toml += pool.to_toml(reporter);
  } catch (const YAML::Exception& failure) {
    reporter.error(position(failure.mark), "", "YAML: " + failure.msg);
  } catch (const std::exception& failure) {
    reporter.error({}, "", std::string("YAML: ") + failure.what());
  }
  // The promise of the conversion: what it prints starts.
  if (!has_error(reporter.problems))
    for (const Problem& problem : load_cluster_text(toml, "converted").problems)
      if (problem.severity == Problem::Severity::error)
        reporter.error({}, problem.key, "the result would not start: " + problem.message, problem.fix);
  sort_by_position(reporter.problems);
  ConvertOutcome outcome{.toml = {}, .problems = std::move(reporter.problems)};
  if (outcome.ok()) outcome.toml = std::move(toml);
  return outcome;
}

ConvertOutcome convert_nutcracker_file(const std::string& path) {
  auto text = read_text_file(path);
  if (text) return convert_nutcracker_text(*text, path);
  return {.toml = {}, .problems = {{.file = path, .message = text.error().message}}};
}

}  // namespace overlord::config
