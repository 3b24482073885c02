#include "config/flags.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <variant>

#include "config/keys.h"
#include "config/reporter.h"

namespace overlord::config {

namespace {

// One flag: where its value goes, or what parses it. A text setter's answer is what is wrong with the value.
using TextSetter = std::string (*)(Flags&, std::string_view);
using Target = std::variant<bool Flags::*, int64_t Flags::*, std::string Flags::*, TextSetter>;

struct FlagRow {
  std::string_view name;
  Target target;
  std::string_view value_name;  // for the usage text; empty for booleans
  std::string_view doc;
  std::string_view later = {};  // not empty: the feature that comes with a later version
};

std::string set_workers(Flags& flags, std::string_view text) {
  uint32_t count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || count > 1024)
    return "must be a number from 0 to 1024";
  flags.workers = count;
  return {};
}

std::string set_io(Flags& flags, std::string_view text) {
  flags.io = parse_io_driver(text);
  return flags.io ? "" : "must be auto, epoll or io_uring";
}

// clang-format off
const FlagRow kRows[] = {
    {"cluster", &Flags::cluster, "FILE", "cluster file (TOML); required to serve"},
    {"conf", &Flags::conf, "FILE", "the proxy's own file (TOML); without it the defaults"},
    {"t", &Flags::check, "", "check both files, print every problem and exit: 0 when they are good, else 2"},
    {"stat", &Flags::stat, "ADDRESS", "HTTP address for operators and monitoring, like 127.0.0.1:2110"},
    {"metrics", &Flags::metrics, "", "switch use_metrics on"},
    {"reload", &Flags::reload, "", "follow changes of both files"},
    {"slowlog", &Flags::slowlog, "FILE", "file that slow requests are appended to, a line of JSON each"},
    {"slower-than", &Flags::slower_than, "MICROSECONDS",
     "when above 0, slowlog_slower_than of every cluster"},
    {"slower-max-bytes", &Flags::slower_max_bytes, "BYTES",
     "size at which the slow log's file is rotated; 0: never (default 500000000)"},
    {"slower-backup-count", &Flags::slower_backup_count, "N",
     "rotated files of the slow log to keep; 0: do not rotate (default 7)"},
    {"std", &Flags::to_stdout, "", "log to standard output"},
    {"debug", &Flags::debug, "", "the same as -std"},
    {"log", &Flags::log, "FILE", "log to this file"},
    {"log-vl", &Flags::log_verbosity, "N", "detail of the log, 0 to 1000 (default 0)"},
    {"version", &Flags::version, "", "print the version and exit"},
    {"workers", TextSetter{set_workers}, "N", "threads that serve clients; 0: one per core (default 0)"},
    {"io", TextSetter{set_io}, "DRIVER", "auto, epoll or io_uring (default auto)"},
    {"convert-nutcracker", &Flags::convert_nutcracker, "FILE",
     "print the cluster file that equals this twemproxy file, and exit"},
    {"upgrade-from", &Flags::upgrade_from, "SOCKET",
     "take over from the process whose upgrade_socket this is: its sockets and its clients"},
    {"platform", &Flags::platform, "URLS",
     "API servers of the platform: the cluster file is theirs and followed; -cluster is where its copy is kept"},
    {"platform-clusters", &Flags::platform_clusters, "NAMES",
     "with -platform: only these clusters, with commas between them (default: all)"},
    {"platform-token", &Flags::platform_token, "FILE", "with -platform: file with the token to show"},
    {"platform-ca", &Flags::platform_ca, "FILE", "with -platform: certificates (PEM) that https servers are checked by"},
    {"help", &Flags::help, "", "print this list and exit; -h too"},
};
// clang-format on

const FlagRow* find_row(std::string_view name) {
  if (name == "h") name = "help";
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const FlagRow& r) { return r.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

Result<bool> parse_bool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return fail("must be true or false");
}

// What is wrong with the value; empty: nothing.
std::string set_value(const FlagRow& row, Flags& flags, std::string_view text) {
  if (const auto* target = std::get_if<std::string Flags::*>(&row.target)) {
    flags.** target = text;
    return {};
  }
  if (const auto* target = std::get_if<bool Flags::*>(&row.target)) {
    const auto value = parse_bool(text);
    if (!value) return value.error().message;
    flags.** target = *value;
    return {};
  }
  if (const auto* target = std::get_if<int64_t Flags::*>(&row.target)) {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), flags.**target);
    if (digits.empty() || failure != std::errc{} || end != digits.data() + digits.size())
      return "must be a whole number";
    return {};
  }
  return (*std::get_if<TextSetter>(&row.target))(flags, text);
}

std::string check_ranges(const Flags& flags) {
  if (flags.log_verbosity < 0 || flags.log_verbosity > 1000) return "-log-vl must be from 0 to 1000";
  if (flags.slower_than < 0 || flags.slower_than > 1'000'000'000'000)
    return "-slower-than must be from 0 to 1000000000000 microseconds";
  if (flags.slower_backup_count < 0 || flags.slower_backup_count > 1000)
    return "-slower-backup-count must be from 0 to 1000";
  if (flags.platform.empty() &&
      !(flags.platform_clusters.empty() && flags.platform_token.empty() && flags.platform_ca.empty()))
    return "-platform-clusters, -platform-token and -platform-ca go with -platform=URL";
  if (!flags.platform.empty() && flags.reload)
    return "-platform and -reload exclude each other: the platform's file is followed already";
  if (!flags.stat.empty()) {
    const auto address = parse_listen_address(flags.stat, "tcp");
    if (!address) return "-stat " + quoted(flags.stat) + ": " + address.error().message;
  }
  return {};
}

std::unexpected<Error> refuse(const std::string& what) { return fail(what + "\n" + usage_text()); }

}  // namespace

Result<Flags> parse_flags(std::span<const std::string_view> args) {
  Flags flags;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    if (arg == "--") break;
    if (arg.size() < 2 || arg[0] != '-') continue;  // positional
    arg.remove_prefix(arg[1] == '-' ? 2 : 1);
    const size_t equals = arg.find('=');
    const std::string name(arg.substr(0, equals));
    if (name.empty() || name[0] == '-') return refuse("bad flag syntax: " + std::string(args[i]));
    const FlagRow* row = find_row(name);
    if (row == nullptr) {
      const auto names = flag_names();
      const std::string_view near = nearest(name, names);
      return refuse("unknown flag: -" + name + (near.empty() ? "" : "; did you mean -" + std::string(near) + "?"));
    }
    std::string_view value = "true";
    if (equals != std::string_view::npos) {
      value = arg.substr(equals + 1);
    } else if (!std::holds_alternative<bool Flags::*>(row->target)) {
      if (i + 1 == args.size()) return refuse("flag -" + name + " needs a value");
      value = args[++i];
    }
    if (const std::string wrong = set_value(*row, flags, value); !wrong.empty())
      return refuse("flag -" + name + "=" + std::string(value) + ": " + wrong);
  }
  if (const std::string wrong = check_ranges(flags); !wrong.empty()) return refuse(wrong);
  return flags;
}

Result<Flags> parse_flags(int argc, const char* const* argv) {
  std::vector<std::string_view> args;
  for (int i = 1; i < argc; ++i) args.emplace_back(argv[i]);
  return parse_flags(args);
}

std::string usage_text() {
  std::string text = "Usage: overlord-proxy -cluster FILE [flags]      (-name value or -name=value, one dash or two)\n";
  for (const FlagRow& row : kRows) {
    std::string left = "  -" + std::string(row.name);
    if (!row.value_name.empty()) left += " " + std::string(row.value_name);
    constexpr size_t kColumn = 28;
    left.resize(std::max(left.size() + 2, kColumn), ' ');
    text += left + std::string(row.doc) + (row.later.empty() ? "" : " (not in this version yet)") + "\n";
  }
  return text;
}

std::vector<std::string> flag_notices(const Flags& flags) {
  const Flags defaults;
  std::vector<std::string> notices;
  for (const FlagRow& row : kRows) {
    if (row.later.empty()) continue;
    const bool given = std::visit(
        [&](auto target) {
          if constexpr (std::is_member_object_pointer_v<decltype(target)>)
            return flags.*target != defaults.*target;
          else
            return false;
        },
        row.target);
    if (given)
      notices.push_back("-" + std::string(row.name) + ": " + std::string(row.later) +
                        " is not in this version yet; the flag is accepted and has no effect");
  }
  return notices;
}

void apply_flags(const Flags& flags, ProcessConfig& process) {
  if (!flags.stat.empty()) process.stat = flags.stat;
  if (flags.metrics) process.use_metrics = true;
  if (!flags.log.empty()) process.log.file = flags.log;
  if (flags.to_stdout || flags.debug) process.log.to_stdout = true;
  if (flags.log_verbosity > 0) process.log.verbosity = static_cast<uint32_t>(flags.log_verbosity);
  process.slowlog = {.file = flags.slowlog,
                     .max_bytes = static_cast<uint64_t>(std::max<int64_t>(flags.slower_max_bytes, 0)),
                     .backup_count = static_cast<uint32_t>(flags.slower_backup_count)};
  if (flags.workers) process.workers = *flags.workers;
  if (flags.io) process.io = *flags.io;
}

void apply_flags(const Flags& flags, ClusterFile& file) {
  if (flags.slower_than <= 0) return;
  for (ClusterConfig& cluster : file.clusters) cluster.slowlog_slower_than = microseconds(flags.slower_than);
}

std::vector<std::string_view> flag_names() {
  std::vector<std::string_view> names;
  for (const FlagRow& row : kRows) names.push_back(row.name);
  return names;
}

}  // namespace overlord::config
