// overlord-proxy: flags, files, wiring, signals. No logic of the data path.

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "admin/admin.h"
#include "base/log.h"
#include "config/configuration.h"
#include "config/flags.h"
#include "config/nutcracker.h"
#include "feed/feed.h"
#include "net/inherited_sockets.h"
#include "net/service_notify.h"
#include "otlp/exporter.h"
#include "proxy/proxy.h"
#include "proxy/service.h"
#include "proxy/taker.h"
#include "proxy/upgrade.h"

namespace {

using namespace overlord;

// Raised by the process itself when the proxy has stopped, or has handed everything over.
constexpr int kStopped = SIGALRM;

void print_problems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::cerr << config::format(problem) << "\n";
}

std::string problems_text(const std::vector<config::Problem>& problems) {
  std::string text;
  for (const config::Problem& problem : problems) text.append(text.empty() ? "" : "; ").append(config::format(problem));
  return text;
}

int convert_nutcracker(const std::string& path) {
  auto converted = config::convert_nutcracker_file(path);
  print_problems(converted.problems);
  if (!converted.ok()) return 1;
  std::cout << converted.toml;
  return 0;
}

int refuse(const std::string& why) {
  log_error(why);
  log_flush();
  std::cerr << "overlord-proxy: " << why << "\n";
  return 1;
}

// Before any thread starts, so that only wait_for_signal takes them.
void block_signals(sigset_t& signals) {
  sigemptyset(&signals);
  for (const int s : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, kStopped}) sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a log that may not grow is as one on a full disk
}

// The next signal; 0 when none came within the time (0: waits for ever).
int wait_for_signal(const sigset_t& signals, uint64_t at_most_ns) {
  const timespec limit{static_cast<time_t>(at_most_ns / 1'000'000'000), static_cast<long>(at_most_ns % 1'000'000'000)};
  for (;;) {
    const int caught = at_most_ns == 0 ? ::sigwaitinfo(&signals, nullptr) : ::sigtimedwait(&signals, nullptr, &limit);
    if (caught > 0) return caught;
    if (errno == EAGAIN) return 0;
  }
}

// Null: nothing is traced.
std::unique_ptr<otlp::Exporter> trace(proxy::Proxy& proxy, const config::OtlpConfig& config) {
  if (config.endpoint.empty()) return nullptr;
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  const auto source = [tail = proxy.always_tail({.sample = config.sample})](const otlp::Exporter::Take& take) {
    tail->drain(take, proxy::Tail::Ring::kEntries);
    return tail->dropped();
  };
  return std::make_unique<otlp::Exporter>(
      config.endpoint, otlp::Resource{.version = OVERLORD_VERSION, .host = host, .pid = ::getpid()}, source);
}

// Null: no platform is named.
std::unique_ptr<feed::Feed> feed_of(const config::Flags& flags) {
  if (flags.platform.empty()) return nullptr;
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  const auto usable = [flags](const std::string& path) -> Result<void> {
    config::Flags with = flags;
    with.cluster = path;
    const auto loaded = config::load_configuration(with);
    if (!loaded.ok()) return fail(problems_text(loaded.problems));
    return {};
  };
  return std::make_unique<feed::Feed>(
      feed::FeedOptions{.servers = flags.platform,
                        .clusters = flags.platform_clusters,
                        .token_file = flags.platform_token,
                        .ca_file = flags.platform_ca,
                        .copy = flags.cluster,
                        .proxy = std::string(host).substr(0, 48) + "-" + std::to_string(::getpid()),
                        .stat = flags.stat},
      usable);
}

// taker: null when no other process runs that this one takes over from.
int run(const config::Configuration& configuration, const config::Flags& flags,
        const std::vector<std::string>& arguments, std::unique_ptr<proxy::Taker> taker, feed::Feed* feed) {
  const config::ProcessConfig& process = *configuration.process;
  if (auto opened = log_init(config::log_options(process.log)); !opened) {
    std::cerr << "overlord-proxy: " << opened.error().message << "\n";
    return 1;
  }
  log_info("overlord-proxy ", OVERLORD_VERSION, ", pid ", ::getpid(), ", ", config::resolved_workers(process),
           " workers");
  for (const std::string& notice : config::flag_notices(flags)) log_warn(notice);

  sigset_t signals;
  block_signals(signals);

  auto notify = net::ServiceNotify::from_environment();
  if (taker != nullptr) notify = net::ServiceNotify::to(taker->notify_address(), taker->watchdog_ns());
  if (!notify) return refuse(notify.error().message);
  auto sockets = net::InheritedSockets::from_environment();
  if (!sockets) return refuse(sockets.error().message);

  proxy::Proxy proxy(configuration, [&flags] { return config::load_configuration(flags); });
  proxy.inherit(std::move(*sockets));
  if (taker != nullptr) proxy.take_over(taker->take_listeners());
  const auto give_up = [&](const std::string& why) {
    if (taker != nullptr) {
      taker->give_up(why);
      proxy.leave_paths();
    }
    return refuse(why);
  };
  const std::unique_ptr<otlp::Exporter> traces = trace(proxy, process.otlp);
  if (auto started = proxy.start(); !started) return give_up(started.error().message);
  if (flags.reload) {
    std::vector<std::string> files{flags.cluster};
    if (!flags.conf.empty()) files.push_back(flags.conf);
    proxy.follow(std::move(files));
  }
  proxy::Service service(proxy, std::move(*notify));
  admin::Admin admin(proxy);
  proxy::UpgradeHooks hooks;
  hooks.admin_socket = [&admin] { return admin.socket(); };
  hooks.let_admins_in = [&admin](bool in) { admin.let_in(in); };
  hooks.notify_address = service.notify().where();
  hooks.watchdog_ns = service.notify().watchdog_ns();
  hooks.tell_main_pid = [&service](pid_t pid) { service.tell_main_pid(pid); };
  hooks.handed_over = [] { ::kill(::getpid(), kStopped); };
  proxy::Upgrade upgrade(proxy, arguments, std::move(hooks));
  admin.show(upgrade);
  if (traces != nullptr) admin.show(*traces);
  if (!process.stat.empty()) {
    auto handed = taker == nullptr ? proxy::HandedListener() : taker->take_admin_socket();
    if (auto started = admin.start(process.stat, std::move(handed), taker == nullptr); !started) {
      return give_up(started.error().message);
    }
  }
  if (taker != nullptr) {
    if (auto taken = taker->take_over(proxy, upgrade.board()); !taken) {
      proxy.leave_paths();
      admin.leave_path();
      return refuse(taken.error().message);
    }
    admin.let_in(true);
  }
  auto upgrade_socket = taker == nullptr ? proxy::HandedListener() : taker->take_upgrade_socket();
  if (auto listens = upgrade.listen(process.upgrade_socket, std::move(upgrade_socket)); !listens) {
    if (taker == nullptr) return refuse(listens.error().message);
    log_error(listens.error().message);  // the process before is gone already: it serves without
  }
  if (feed != nullptr) {
    feed->start([&proxy] { return proxy.reload().outcome != proxy::ReloadReport::Outcome::refused; });
  }
  log_info("ready");
  log_flush();
  service.ready();
  for (;;) {
    const int caught = wait_for_signal(signals, service.tick_ns());
    switch (caught) {
      case 0: service.tick(); break;
      case SIGHUP:
        if (auto reopened = log_reopen(); !reopened) log_error(reopened.error().message);
        log_info("SIGHUP: the log was reopened; certificates are looked at and the configuration is read");
        service.reloading();
        proxy.reload_certificates();
        proxy.reload();
        service.ready();
        break;
      case SIGUSR1:
        log_step_detail();
        log_warn("SIGUSR1: debug messages up to ", log_verbosity(), " are written now");
        break;
      case SIGUSR2:
        log_info("SIGUSR2: gives way to a new process");
        if (auto begun = upgrade.start({}); !begun) log_error("upgrade: ", begun.error().message);
        break;
      case kStopped:
        if (feed != nullptr && (upgrade.handed_over() || service.stopping())) feed->stop();
        if (upgrade.handed_over()) {
          upgrade.stop();
          admin.leave_path();
          proxy.leave_paths();
          proxy.stop(0);
          log_info("ended; the new process serves");
          log_flush();
          return 0;
        }
        if (!service.stopping()) break;  // from outside, without a meaning
        log_info("stopped");
        log_flush();
        return 0;
      default: {
        if (service.stopping()) {
          log_warn(::strsignal(caught), " again: ends at once");
          log_flush();
          ::_exit(1);
        }
        const auto grace = proxy.configuration().process->stop_timeout;
        log_info(::strsignal(caught), ": stopping; requests in flight have ", grace.count(), " ms");
        if (taker != nullptr) taker->stop();
        upgrade.stop();
        service.stop(static_cast<uint64_t>(grace.count()) * 1'000'000, kStopped);
      }
    }
  }
}

// By itself glibc raises these with the sizes that it sees, up to 32 and 64 MiB, and then keeps as much at the end of
// each worker's heap for ever: what a burst of large requests took would not come back.
void give_memory_back() {
  constexpr int kMegabyte = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kMegabyte);
  ::mallopt(M_TRIM_THRESHOLD, kMegabyte);
}

}  // namespace

int main(int argc, char** argv) {
  give_memory_back();
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
  const std::unique_ptr<feed::Feed> feed = flags.check ? nullptr : feed_of(flags);
  if (feed != nullptr) {
    constexpr std::chrono::seconds kPatience{5};
    if (auto got = feed->first(kPatience); !got) {
      std::cerr << "overlord-proxy: " << got.error().message << "\n";
      return 1;
    }
  }
  const auto loaded = config::load_configuration(flags);
  print_problems(loaded.problems);
  if (flags.check) return loaded.ok() ? 0 : 2;
  std::unique_ptr<proxy::Taker> taker;
  if (!flags.upgrade_from.empty()) {
    auto begun = proxy::Taker::begin(flags.upgrade_from);
    if (!begun) {
      std::cerr << "overlord-proxy: " << begun.error().message << "\n";
      return 1;
    }
    taker = std::move(*begun);
  }
  if (!loaded.ok()) {
    if (taker != nullptr) taker->give_up(problems_text(loaded.problems));
    return 1;
  }
  return run(*loaded.value, flags, std::vector<std::string>(argv + 1, argv + argc), std::move(taker), feed.get());
}
