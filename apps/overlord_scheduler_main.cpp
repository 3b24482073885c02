// overlord-scheduler: flags, configuration, wiring, signals.

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/log.h"
#include "scheduler/config.h"
#include "scheduler/scheduler.h"
#include "store/open.h"

namespace {

using namespace overlord;

constexpr int kUsage = 2;

struct Settings {
  std::string conf;
  bool check = false;
  bool to_stdout = false;
  bool debug = false;
  std::string log;
  uint32_t log_vl = 0;
};

int refuse(const std::string& why) {
  log_error(why);
  log_flush();
  std::cerr << "overlord-scheduler: " << why << "\n";
  return 1;
}

// The Go programs take long flags with one dash too.
std::vector<std::string> with_two_dashes(int argc, char** argv) {
  std::vector<std::string> out;
  for (int i = argc - 1; i > 0; --i) {
    std::string arg = argv[i];
    if (arg.size() > 2 && arg[0] == '-' && arg[1] != '-') arg.insert(0, "-");
    out.push_back(std::move(arg));
  }
  return out;  // the last first, as the parser wants them
}

Result<std::unique_ptr<store::Store>> open_store(const scheduler::Config& config) {
  store::OpenOptions options{.user = config.store_user, .tls = {.ca_file = config.store_ca_file}};
  if (!config.store_password_file.empty()) {
    std::ifstream in(config.store_password_file);
    if (!std::getline(in, options.password)) {
      return fail("store_password_file: cannot read " + config.store_password_file);
    }
  }
  auto opened = store::open_store(config.store, options);
  if (!opened) return fail("store: " + opened.error().message);
  return std::move(*opened);
}

int run(const scheduler::Config& config) {
  if (auto opened = log_init(config.log); !opened) {
    std::cerr << "overlord-scheduler: " << opened.error().message << "\n";
    return 1;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  log_info("overlord-scheduler ", OVERLORD_VERSION, ", pid ", ::getpid(), ", engine ", config.engine);
  auto store = open_store(config);
  if (!store) return refuse(store.error().message);
  scheduler::Scheduler scheduler(**store, config);
  std::thread work([&] { scheduler.run(); });
  for (;;) {
    int caught = 0;
    if (::sigwait(&signals, &caught) != 0) continue;
    if (caught != SIGHUP) break;
    if (auto reopened = log_reopen(); !reopened) log_error(reopened.error().message);
    log_info("SIGHUP: the log was reopened");
  }
  log_info("stopping; nodes run on");
  scheduler.stop();
  work.join();
  log_info("stopped");
  log_flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("overlord-scheduler: carries out the platform's jobs, and mends what breaks");
  app.set_version_flag("--version", OVERLORD_VERSION);
  Settings settings;
  app.add_option("--conf", settings.conf, "configuration (TOML); docs/platform.md has its keys")->required();
  app.add_flag("--check", settings.check, "look at the configuration, print every problem and exit");
  app.add_flag("--std", settings.to_stdout, "log to standard output");
  app.add_flag("--debug", settings.debug, "the same as --std");
  app.add_option("--log", settings.log, "log to this file");
  app.add_option("--log-vl", settings.log_vl, "detail of the log")->check(CLI::Range(0, 1000));
  try {
    app.parse(with_two_dashes(argc, argv));
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  auto reading = scheduler::read_config(settings.conf);
  if (!reading) {
    std::cerr << "overlord-scheduler: " << reading.error().message << "\n";
    return kUsage;
  }
  for (const std::string& warning : reading->warnings) std::cerr << warning << "\n";
  for (const std::string& error : reading->errors) std::cerr << error << "\n";
  if (!reading->errors.empty()) return kUsage;
  if (settings.check) return 0;
  LogOptions& log = reading->config.log;
  if (settings.to_stdout || settings.debug) log.to_stdout = true;
  if (!settings.log.empty()) log.file = settings.log;
  if (settings.log_vl > 0) log.verbosity = settings.log_vl;
  return run(reading->config);
}
