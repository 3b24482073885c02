#include "config/loader.h"

#include <set>

#include "config/cluster_reader.h"
#include "config/file_text.h"
#include "config/reporter.h"
#include "config/table_reader.h"
#include "config/toml_document.h"

namespace overlord::config {

namespace {

template <typename T>
LoadOutcome<T> finish(T value, Reporter& reporter) {
  LoadOutcome<T> outcome;
  outcome.problems = std::move(reporter.problems);
  sort_by_position(outcome.problems);
  if (!has_error(outcome.problems)) outcome.value = std::move(value);
  return outcome;
}

template <typename T>
LoadOutcome<T> load_file(const std::string& path,
                         LoadOutcome<T> (*load_text)(std::string_view text, const std::string& file)) {
  auto text = read_text_file(path);
  if (text) return load_text(*text, path);
  LoadOutcome<T> outcome;
  outcome.problems.push_back({.file = path, .message = text.error().message});
  return outcome;
}

// The tables of `clusters`; anything else under that name is reported.
std::vector<const TomlValue*> cluster_tables(const TomlTable& root, Reporter& reporter) {
  std::vector<const TomlValue*> tables;
  bool seen = false;
  for (const TomlEntry& entry : root.entries) {
    if (!same_key(entry.key, "clusters")) {
      const std::string_view known[] = {"clusters"};
      std::string fix = suggest_key(Section::process, entry.key);
      for (const auto& key : process_keys())
        if (same_key(key.info.name, entry.key) || same_key("proxy", entry.key))
          fix = "it belongs to the proxy file (-conf)";
      for (const auto& key : cluster_keys())
        if (same_key(key.info.name, entry.key)) fix = "it belongs below a line [[clusters]]";
      if (!nearest(entry.key, known).empty()) fix = "did you mean clusters?";
      reporter.error(entry.at, entry.key, "unknown key", fix);
      continue;
    }
    if (seen) reporter.error(entry.at, entry.key, "the same key twice in different letter case", "write clusters");
    seen = true;
    const auto* array = entry.value.get<TomlArray>();
    if (array == nullptr) {
      reporter.error(entry.at, "clusters",
                     "expected [[clusters]] tables, found " + std::string(entry.value.type_name()),
                     "write [[clusters]] with two brackets");
      continue;
    }
    for (const TomlValue& item : array->items) {
      if (item.get<TomlTable>() != nullptr)
        tables.push_back(&item);
      else
        reporter.error(item.at, "clusters", "expected a table, found " + std::string(item.type_name()),
                       "write [[clusters]] and its keys below");
    }
  }
  return tables;
}

}  // namespace

namespace {

LoadOutcome<ClusterFile> load_clusters(std::string_view text, const std::string& file, FileCheck files) {
  Reporter reporter(file);
  const TomlTable root = parse_toml(text, file, reporter.problems);
  if (!reporter.problems.empty()) return finish(ClusterFile{}, reporter);

  std::set<std::string_view> told;
  std::vector<ReadCluster> read;
  for (const TomlValue* value : cluster_tables(root, reporter))
    read.push_back(read_cluster(*value->get<TomlTable>(), value->at, read.size() + 1, told, files, reporter));
  if (read.empty() && !has_error(reporter.problems))
    reporter.warning({}, "", "no [[clusters]], so there is nothing to serve");
  check_clusters(read, reporter);

  ClusterFile clusters;
  for (ReadCluster& cluster : read) clusters.clusters.push_back(std::move(cluster.config));
  return finish(std::move(clusters), reporter);
}

LoadOutcome<ClusterFile> load_clusters_and_files(std::string_view text, const std::string& file) {
  return load_clusters(text, file, FileCheck::yes);
}

}  // namespace

LoadOutcome<ClusterFile> load_cluster_text(std::string_view text, const std::string& file) {
  return load_clusters(text, file, FileCheck::no);
}

LoadOutcome<ProcessConfig> load_process_text(std::string_view text, const std::string& file) {
  Reporter reporter(file);
  const TomlTable root = parse_toml(text, file, reporter.problems);
  if (!reporter.problems.empty()) return finish(ProcessConfig{}, reporter);

  std::set<std::string_view> told;
  ProcessConfig process;
  TableReader<ProcessConfig> top(root, Section::process, process_keys(), "", told, reporter);
  top.read(process, "proxy");
  if (const TomlEntry* proxy = top.find("proxy")) {
    if (const auto* table = proxy->value.get<TomlTable>()) {
      TableReader<ProcessConfig> section(*table, Section::proxy, process_keys(), "proxy.", told, reporter);
      section.read(process);
      // The Go program counted these two in seconds, so a small number is most likely meant so.
      for (const char* name : {"read_timeout", "write_timeout"}) {
        const TomlEntry* entry = section.find(name);
        const auto* value = entry == nullptr ? nullptr : entry->value.get<int64_t>();
        if (value != nullptr && *value > 0 && *value < 1000)
          reporter.warning(entry->value.at, section.path(name),
                           std::to_string(*value) + " means milliseconds; the Go program took seconds",
                           "write " + std::to_string(*value * 1000) + " for seconds");
      }
    } else {
      reporter.error(proxy->at, "proxy", "expected a table, found " + std::string(proxy->value.type_name()),
                     "write [proxy] and its keys below");
    }
  }
  return finish(std::move(process), reporter);
}

LoadOutcome<ClusterFile> load_cluster_file(const std::string& path) { return load_file(path, load_clusters_and_files); }

LoadOutcome<ProcessConfig> load_process_file(const std::string& path) { return load_file(path, load_process_text); }

}  // namespace overlord::config
