#include "config/table_reader.h"

namespace overlord::config {

namespace {

// Whether a value is the row's default, so that there is nothing to say about a key that does nothing yet.
bool is_default(const KeyInfo& key, const TomlValue& value) {
  if (const auto* flag = value.get<bool>()) return key.default_value == (*flag ? "true" : "false");
  if (const auto* number = value.get<int64_t>()) return key.default_value == std::to_string(*number);
  if (const auto* text = value.get<std::string>()) return key.default_value == '"' + *text + '"';
  return false;
}

}  // namespace

template <typename Config>
const Key<Config>* TableReader<Config>::row(std::string_view name) const {
  for (const auto& key : keys_)
    if (key.info.section == section_ && same_key(key.info.name, name)) return &key;
  return nullptr;
}

template <typename Config>
const TomlEntry* TableReader<Config>::find(std::string_view name) const {
  for (const TomlEntry& entry : table_.entries)
    if (same_key(entry.key, name)) return &entry;
  return nullptr;
}

template <typename Config>
void TableReader<Config>::read(Config& config, std::string_view skip) {
  for (const TomlEntry& entry : table_.entries) {
    if (const TomlEntry* first = find(entry.key); first != &entry) {
      reporter_.error(entry.at, path(entry.key),
                      "the same key as " + first->key + " on line " + std::to_string(first->at.line),
                      "keep one of them");
      continue;
    }
    if (!skip.empty() && same_key(entry.key, skip)) continue;
    const Key<Config>* key = row(entry.key);
    if (key == nullptr) {
      reporter_.error(entry.at, path_ + (entry.key.empty() ? "\"\"" : entry.key), "unknown key",
                      suggest_key(section_, entry.key));
      continue;
    }
    note_state(key->info, entry);
    set(config, *key, entry);
  }
}

template <typename Config>
void TableReader<Config>::note_state(const KeyInfo& key, const TomlEntry& entry) {
  if (key.state == KeyState::old)
    reporter_.warning(entry.at, path(key.name), "an old key that has no effect", std::string(key.doc));
  if (key.state == KeyState::later && !is_default(key, entry.value) && told_.insert(key.name).second)
    reporter_.warning(entry.at, path(key.name), "accepted, but has no effect in this version",
                      "what it switches comes with a later one");
}

template <typename Config>
void TableReader<Config>::wrong_type(const TomlEntry& entry, std::string_view name, std::string_view expected) const {
  reporter_.error(entry.value.at, path(name),
                  "expected " + std::string(expected) + ", found " + std::string(entry.value.type_name()),
                  entry.value.get<std::string>() != nullptr && expected != "a string" ? "take the quotes off" : "");
}

template <typename Config>
std::string TableReader<Config>::text(std::string_view name, std::string default_value) const {
  const TomlEntry* entry = find(name);
  if (entry == nullptr) return default_value;
  if (const auto* value = entry->value.get<std::string>()) return *value;
  wrong_type(*entry, name, "a string");
  return default_value;
}

template <typename Config>
void TableReader<Config>::set_integer(Config& config, const Key<Config>& key, const TomlEntry& entry) {
  const KeyInfo& info = key.info;
  const int64_t value = *entry.value.get<int64_t>();
  if (value < info.lowest || value > info.highest) {
    std::string fix = "use " + std::to_string(info.lowest) + " to " + std::to_string(info.highest);
    if (!info.unit.empty()) fix += ' ' + std::string(info.unit);
    reporter_.error(entry.value.at, path(info.name), std::to_string(value) + " is out of range", std::move(fix));
    return;
  }
  (*std::get_if<void (*)(Config&, int64_t)>(&key.set))(config, value);
}

template <typename Config>
void TableReader<Config>::set(Config& config, const Key<Config>& key, const TomlEntry& entry) {
  const TomlValue& value = entry.value;
  if (std::holds_alternative<void (*)(Config&, int64_t)>(key.set)) {
    if (value.get<int64_t>() == nullptr) return wrong_type(entry, key.info.name, "an integer");
    return set_integer(config, key, entry);
  }
  if (const auto* set_flag = std::get_if<void (*)(Config&, bool)>(&key.set)) {
    if (value.get<bool>() == nullptr) return wrong_type(entry, key.info.name, "a boolean");
    return (*set_flag)(config, *value.get<bool>());
  }
  const auto* set_text = std::get_if<Verdict (*)(Config&, const std::string&)>(&key.set);
  if (set_text == nullptr) return;
  if (value.get<std::string>() == nullptr) return wrong_type(entry, key.info.name, "a string");
  if (const Verdict verdict = (*set_text)(config, *value.get<std::string>()))
    reporter_.error(value.at, path(key.info.name), verdict->message, verdict->fix);
}

template class TableReader<ProcessConfig>;
template class TableReader<ClusterConfig>;

}  // namespace overlord::config
