// overlord-executor: flags, log, signals. Runs the cache nodes of one host.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <string>

#include "base/log.h"
#include "executor/door.h"
#include "executor/supervisor.h"
#include "net/socket.h"

namespace {

using namespace overlord;
using std::chrono::milliseconds;

constexpr int kUsage = 2;

struct Settings {
  executor::Options executor;
  std::string socket;
  LogOptions log;
  std::string log_level = "info";
  std::string system_servers = "yes";
  bool leave_running = true;
  uint32_t grace_ms = 10'000;
};

int refuse(const std::string& why) {
  log_error(why);
  log_flush();
  std::cerr << "overlord-executor: " << why << "\n";
  return 1;
}

void add_time(CLI::App& app, const std::string& name, milliseconds& value, const std::string& what) {
  app.add_option_function<uint32_t>(
         name, [&value](const uint32_t& ms) { value = milliseconds(ms); }, what)
      ->check(CLI::Range(1, 3'600'000))
      ->default_str(std::to_string(value.count()));
}

void add_flags(CLI::App& app, Settings& settings) {
  executor::Options& options = settings.executor;
  app.add_option("--host", options.host, "numeric address of this host; its nodes bind to it")->required();
  app.add_option("--dir", options.folder, "folder of its work: one for each node, by port")->required();
  app.add_option("--socket", settings.socket, "unix socket it is asked on (default: DIR/executor.sock)");
  app.add_option("--lib", options.versions.lib, "folder of the servers' versions (default: DIR/lib)");
  app.add_option("--system-servers", settings.system_servers,
                 "whether the system's redis-server and memcached are used")
      ->check(CLI::IsMember({"yes", "no"}))
      ->capture_default_str();
  app.add_option("--cgroup", options.cgroup, "auto, none, or a cgroup of version 2 for the nodes' groups")
      ->capture_default_str();
  app.add_flag("--leave-running,!--stop-nodes", settings.leave_running,
               "on SIGTERM nodes run on (default), or end with it");
  app.add_option("--grace-ms", settings.grace_ms, "for nodes to end by themselves, with --stop-nodes")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  add_time(app, "--probe-interval-ms", options.probe_interval, "between two questions to a node");
  add_time(app, "--probe-patience-ms", options.probe_patience, "for its answer");
  add_time(app, "--sick-after-ms", options.sick_after, "without an answer a node is sick");
  add_time(app, "--hung-after-ms", options.hung_after, "without an answer it is killed and started again");
  add_time(app, "--start-within-ms", options.start_within, "for a new process to answer");
  add_time(app, "--first-pause-ms", options.first_pause, "before a restart; doubled each time");
  add_time(app, "--longest-pause-ms", options.longest_pause, "before a restart, at most");
  add_time(app, "--well-after-ms", options.well_after, "of running well, after which restarts are counted anew");
  app.add_option("--most-restarts", options.most_restarts, "in a row; then the node has failed")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--node-log-bytes", options.logs.bytes, "a node's log is moved aside when it has more")
      ->check(CLI::Range(4096.0, 1e12))
      ->capture_default_str();
  app.add_option("--node-log-count", options.logs.count, "old logs of a node that are kept")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--log", settings.log.file, "file of the executor's own log (default: stderr)");
  app.add_option("--log-level", settings.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("overlord-executor: runs the cache nodes of one host");
  app.set_version_flag("--version", OVERLORD_VERSION);
  Settings settings;
  settings.log.max_bytes = 100 * 1024 * 1024;
  add_flags(app, settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  // What is made here holds passwords.
  ::umask(S_IRWXG | S_IRWXO);
  settings.log.level = parse_log_level(settings.log_level).value_or(LogLevel::info);
  if (const auto logging = log_init(settings.log); !logging) return refuse(logging.error().message);
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, each);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  net::raise_fd_limit();

  executor::Options& options = settings.executor;
  if (!net::numeric_address(options.host, 1)) return refuse("--host " + options.host + " is not a numeric address");
  if (options.versions.lib.empty()) options.versions.lib = options.folder + "/lib";
  if (settings.socket.empty()) settings.socket = options.folder + "/executor.sock";
  if (settings.system_servers == "no") options.versions.system_redis = options.versions.system_memcached = "";
  auto supervisor = executor::Supervisor::start(options);
  if (!supervisor) return refuse(supervisor.error().message);
  executor::Door door(**supervisor);
  if (const auto opened = door.open(settings.socket); !opened) return refuse(opened.error().message);
  log_info("executor of ", options.host, " works in ", options.folder, " and answers on ", settings.socket);

  int caught = 0;
  while (caught != SIGTERM && caught != SIGINT) {
    caught = ::sigwaitinfo(&signals, nullptr);
    if (caught != SIGHUP) continue;
    if (const auto reopened = log_reopen(); !reopened) log_error(reopened.error().message);
  }
  door.close();
  if (!settings.leave_running) (*supervisor)->stop_all(milliseconds(settings.grace_ms));
  log_info("executor of ", options.host, " ends", settings.leave_running ? "; its nodes run on" : " with its nodes");
  supervisor->reset();
  log_flush();
  return 0;
}
