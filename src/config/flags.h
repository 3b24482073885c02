#pragma once
// Flags: the command line of overlord-proxy, in the style of Go's flag package: -name value, -name=value, one
// dash or two; a boolean takes its value only after '='. Positional arguments are ignored.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace overlord::config {

struct Flags {
  std::string cluster;                     // -cluster
  std::string conf;                        // -conf
  bool check = false;                      // -t
  std::string stat;                        // -stat
  bool metrics = false;                    // -metrics
  bool reload = false;                     // -reload
  std::string slowlog;                     // -slowlog
  int64_t slower_than = 0;                 // -slower-than, microseconds
  int64_t slower_max_bytes = 500'000'000;  // -slower-max-bytes
  int64_t slower_backup_count = 7;         // -slower-backup-count
  bool to_stdout = false;                  // -std
  bool debug = false;                      // -debug, the same as -std
  std::string log;                         // -log
  int64_t log_verbosity = 0;               // -log-vl
  bool version = false;                    // -version
  bool help = false;                       // -h, -help
  std::string convert_nutcracker;          // -convert-nutcracker
  std::string upgrade_from;                // -upgrade-from
  std::string platform;                    // -platform, URLs
  std::string platform_clusters;           // -platform-clusters, names
  std::string platform_token;              // -platform-token, a file
  std::string platform_ca;                 // -platform-ca, a file
  std::optional<uint32_t> workers;         // -workers
  std::optional<IoDriver> io;              // -io
};

// args: argv without the program's name. The error's message is what to print on stderr, with the usage text;
// the process then exits with 2.
Result<Flags> parse_flags(std::span<const std::string_view> args);
Result<Flags> parse_flags(int argc, const char* const* argv);

// The list that -h prints.
std::string usage_text();

// What to say at start about flags that are accepted but do nothing in this version, one text each.
std::vector<std::string> flag_notices(const Flags& flags);

// Puts what the flags say over what the files said.
void apply_flags(const Flags& flags, ProcessConfig& process);
void apply_flags(const Flags& flags, ClusterFile& file);

// Names of all flags without dashes, for the check of docs/config.md.
std::vector<std::string_view> flag_names();

}  // namespace overlord::config
