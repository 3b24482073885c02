#pragma once
// TableReader: one TOML table into one configuration by its rows in keys.h. Reports unknown keys, wrong
// types, ranges, doubled keys, and keys that are old or wait for a later version.

#include <set>
#include <string>
#include <string_view>

#include "config/keys.h"
#include "config/reporter.h"
#include "config/toml_document.h"

namespace overlord::config {

template <typename Config>
class TableReader {
 public:
  // path: what stands before a key in messages, like "clusters[2]." or "". told: names of keys whose notice
  // about a later version has been given already; one per file is enough.
  TableReader(const TomlTable& table, Section section, std::span<const Key<Config>> keys, std::string path,
              std::set<std::string_view>& told, Reporter& reporter)
      : table_(table), section_(section), keys_(keys), path_(std::move(path)), told_(told), reporter_(reporter) {}

  // skip: the name of a sub-table that the caller reads.
  void read(Config& config, std::string_view skip = {});

  // The entry of a key that the caller reads by hand; null when absent.
  const TomlEntry* find(std::string_view name) const;

  // The text of a key; default_value when absent or of another type, which is reported.
  std::string text(std::string_view name, std::string default_value) const;

  std::string path(std::string_view name) const { return path_ + std::string(name); }

 private:
  const Key<Config>* row(std::string_view name) const;
  void set(Config& config, const Key<Config>& key, const TomlEntry& entry);
  void set_integer(Config& config, const Key<Config>& key, const TomlEntry& entry);
  void wrong_type(const TomlEntry& entry, std::string_view name, std::string_view expected) const;
  void note_state(const KeyInfo& key, const TomlEntry& entry);

  const TomlTable& table_;
  Section section_;
  std::span<const Key<Config>> keys_;
  std::string path_;
  std::set<std::string_view>& told_;
  Reporter& reporter_;
};

extern template class TableReader<ProcessConfig>;
extern template class TableReader<ClusterConfig>;

}  // namespace overlord::config
