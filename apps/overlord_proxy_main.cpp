// overlord-proxy: flags, files, wiring, signals. No logic of the data path.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/log.h"
#include "config/flags.h"
#include "config/loader.h"
#include "config/nutcracker.h"
#include "proxy/proxy.h"

namespace {

using namespace overlord;

constexpr uint64_t kStopGrace = 5'000'000'000;

void print_problems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::cerr << config::format(problem) << "\n";
}

int convert_nutcracker(const std::string& path) {
  auto converted = config::convert_nutcracker_file(path);
  print_problems(converted.problems);
  if (!converted.ok()) return 1;
  std::cout << converted.toml;
  return 0;
}

int run(const config::ProcessConfig& process, const config::ClusterFile& file, const config::Flags& flags) {
  if (auto opened = log_init(config::log_options(process.log)); !opened) {
    std::cerr << "overlord-proxy: " << opened.error().message << "\n";
    return 1;
  }
  log_info("overlord-proxy ", OVERLORD_VERSION, ", pid ", ::getpid(), ", ", config::resolved_workers(process),
           " workers");
  for (const std::string& notice : config::flag_notices(flags)) log_warn(notice);

  // Blocked before any thread starts, so that only sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1}) sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  proxy::Proxy proxy(process, file);
  if (auto started = proxy.start(); !started) {
    log_error(started.error().message);
    log_flush();
    std::cerr << "overlord-proxy: " << started.error().message << "\n";
    return 1;
  }
  log_info("ready");
  log_flush();
  for (;;) {
    int caught = 0;
    if (::sigwait(&signals, &caught) != 0) continue;
    if (caught == SIGHUP) {
      if (auto reopened = log_reopen(); !reopened) log_error(reopened.error().message);
      proxy.reload_certificates();
      log_warn(
          "SIGHUP: the log was reopened and certificates are looked at; the configuration is read at start only in "
          "this version");
      continue;
    }
    if (caught == SIGUSR1) {
      log_step_detail();
      log_warn("SIGUSR1: debug messages up to ", log_verbosity(), " are written now");
      continue;
    }
    log_info(::strsignal(caught), ": stopping; requests in flight have ", kStopGrace / 1'000'000'000, " s");
    break;
  }
  proxy.stop(kStopGrace);
  log_info("stopped");
  log_flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = config::parse_flags(argc, argv);
  if (!parsed) {
    std::cerr << parsed.error().message << "\n";
    return 2;
  }
  const config::Flags& flags = *parsed;
  if (flags.help) {
    std::cout << config::usage_text();
    return 0;
  }
  if (flags.version) {
    std::cout << OVERLORD_VERSION << "\n";
    return 0;
  }
  if (!flags.convert_nutcracker.empty()) return convert_nutcracker(flags.convert_nutcracker);

  if (flags.cluster.empty()) {
    std::cerr
        << "overlord-proxy: no cluster file; start it with -cluster=FILE (etc/proxy-cluster.toml is an example)\n";
    return 2;
  }
  config::ProcessConfig process;
  bool good = true;
  if (!flags.conf.empty()) {
    auto loaded = config::load_process_file(flags.conf);
    print_problems(loaded.problems);
    good = loaded.ok();
    if (loaded.ok()) process = *loaded.value;
  }
  auto loaded = config::load_cluster_file(flags.cluster);
  print_problems(loaded.problems);
  if (!good || !loaded.ok()) return flags.check ? 2 : 1;
  config::apply_flags(flags, process);
  config::apply_flags(flags, *loaded.value);
  if (flags.check) return 0;
  return run(process, *loaded.value, flags);
}
