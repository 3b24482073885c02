#pragma once
// The keys of both files: one row a key. Reading, ranges, suggestions for unknown keys and the check of
// docs/config.md all follow these rows, so a new key is one new row (and its field in config.h).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.h"

namespace overlord::config {

enum class Section { process, proxy, cluster };  // top of the proxy file, its [proxy], [[clusters]]

enum class KeyState {
  active,
  later,  // accepted; what it switches comes with a later version
  old,    // accepted from files of the Go program; does nothing
};

struct KeyInfo {
  Section section;
  std::string_view name;
  std::string_view type;           // as docs/config.md names it
  std::string_view default_value;  // as written in TOML; "-": there is none
  std::string_view unit = {};      // empty: none
  int64_t lowest = 0;              // integers: the range, both ends included
  int64_t highest = 0;
  std::string_view doc = {};  // what it does; for old keys what to use instead
  std::string_view since = "2.0";
  bool reloadable = true;  // a change takes effect without a restart (diff_keys.cpp)
  KeyState state = KeyState::active;
};

// Why a value is refused and what to write instead.
struct Complaint {
  std::string message;
  std::string fix;
};
using Verdict = std::optional<Complaint>;

// How a row's value gets into the configuration. monostate: the reader of the section does it by
// hand, or the key is old and its value is not even looked at.
template <typename Config>
using Setter = std::variant<std::monostate, void (*)(Config&, int64_t), void (*)(Config&, bool),
                            Verdict (*)(Config&, const std::string&)>;

template <typename Config>
struct Key {
  KeyInfo info;
  Setter<Config> set;
};

std::span<const Key<ProcessConfig>> process_keys();  // sections process and proxy
std::span<const Key<ClusterConfig>> cluster_keys();

// "; did you mean X?" as a fix for an unknown key, from the keys of its section; it also knows when the key
// stands in the wrong section. Empty when nothing is near.
std::string suggest_key(Section section, std::string_view unknown);

std::string_view section_title(Section section);  // "[[clusters]]", ...

// Single edits that turn a into b, letter case aside.
uint32_t edit_distance(std::string_view a, std::string_view b);

// The nearest of the names when it is near enough to be meant; else empty.
std::string_view nearest(std::string_view unknown, std::span<const std::string_view> names);

// Letter case aside (ASCII), as the Go program read keys.
bool same_key(std::string_view a, std::string_view b);

// Values by name, for messages and for flags.
std::optional<IoDriver> parse_io_driver(std::string_view name);
std::string method_names();  // all that hash_method takes, for messages

}  // namespace overlord::config
