#include "scheduler/scheduler.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/log.h"
#include "engine/local/local_engine.h"
#include "engine/mesos/mesos_engine.h"
#include "jobs/runner.h"
#include "redisctl/redis_admin.h"
#include "store/keys.h"

namespace overlord::scheduler {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTurn{200};

class WallClock final : public jobs::Clock {
 public:
  model::Moment now() override { return model::now(); }
};

std::string who(const Config& config) {
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  return config.name + "@" + host + ":" + std::to_string(::getpid());
}

std::string beside_this(const std::string& name) {
  std::error_code none;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", none);
  return none ? name : (self.parent_path() / name).string();
}

std::string key_of_leader() { return std::string(store::keys::kLeaders) + "scheduler"; }

}  // namespace

void Compactor::turn(store::Revision now, std::chrono::steady_clock::time_point at) {
  if (noted_ != 0 && at - noted_at_ < age_) return;
  if (noted_ != 0) {
    const auto done = store_.compact(noted_);
    if (!done && done.error().trouble != store::Trouble::compacted) {
      log_warn("store: what is old was not forgotten: ", done.error().message);
    }
  }
  noted_ = now;
  noted_at_ = at;
}

Scheduler::Scheduler(store::Store& store, const Config& config)
    : store_(store), config_(config), who_(who(config)), candidate_(store, key_of_leader(), who_, config.lease) {}

void Scheduler::stop() {
  stopping_ = true;
  candidate_.stop();
}

void Scheduler::run() {
  bool waiting = false;
  while (!stopping_) {
    const auto token = candidate_.campaign(milliseconds(1000));
    if (!token) {
      log_warn("store: ", token.error().message, "; trying again");
      std::this_thread::sleep_for(kTurn);
      continue;
    }
    if (!*token) {
      if (!std::exchange(waiting, true)) {
        const auto leader = store::leader_of(store_, key_of_leader());
        log_info("stands by; ", leader && *leader ? (*leader)->name : std::string("another scheduler"), " leads");
      }
      continue;
    }
    waiting = false;
    log_info(who_, " leads, with token ", **token);
    lead();
    if (!stopping_) log_warn("leads no longer");
    if (const auto resigned = candidate_.resign(); !resigned) log_warn("store: ", resigned.error().message);
  }
}

void Scheduler::lead() {
  auto engine = start_engine();
  if (!engine) {
    log_error("engine: ", engine.error().message);
    // Another one may be able to; this one is not to lead again at once.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return;
  }
  redisctl::RedisAdmin redis;
  WallClock clock;
  jobs::HealTiming heal;
  heal.host_lost = config_.host_lost.count();
  jobs::Runner runner(
      store_, [this] { return candidate_.fence(); }, **engine, redis, clock, std::random_device()(), {}, heal);
  constexpr std::chrono::minutes kRemembered{10};
  Compactor compactor(store_, kRemembered);
  std::string trouble;
  while (candidate_.leads() && !stopping_) {
    if (!runner.turn(kTurn)) std::this_thread::sleep_for(kTurn);
    compactor.turn(runner.state().revision, std::chrono::steady_clock::now());
    if (std::string now = (*engine)->trouble(); now != trouble) {
      if (now.empty()) {
        log_info("engine: all is well");
      } else {
        log_warn("engine: ", now);
      }
      trouble = std::move(now);
    }
  }
}

Result<std::unique_ptr<engine::Engine>> Scheduler::start_engine() {
  return config_.engine == "local" ? start_local() : start_mesos();
}

Result<std::unique_ptr<engine::Engine>> Scheduler::start_local() const {
  engine::LocalOptions options{
      .hosts = config_.hosts,
      .folder = config_.folder,
      .program = config_.executor.empty() ? beside_this("overlord-executor") : config_.executor,
      .lib = config_.lib,
      .arguments = config_.executor_arguments};
  auto engine = engine::LocalEngine::start(std::move(options));
  if (!engine) return std::unexpected(engine.error());
  return std::move(*engine);
}

Result<std::unique_ptr<engine::Engine>> Scheduler::start_mesos() {
  engine::MesosOptions options;
  auto masters = engine::masters_of(config_.engine);
  if (!masters) return std::unexpected(masters.error());
  options.masters = std::move(*masters);
  options.framework.name = config_.name;
  options.framework.user = config_.user;
  options.framework.roles = config_.roles;
  options.framework.failover_timeout = std::chrono::duration_cast<std::chrono::seconds>(config_.fail_over);
  options.framework.checkpoint = config_.checkpoint;
  options.framework.hostname = config_.hostname;
  options.framework.principal = config_.principal;
  if (!config_.secret_file.empty()) {
    std::ifstream in(config_.secret_file);
    if (!std::getline(in, options.secret)) return fail("secret_file: cannot read " + config_.secret_file);
  }
  options.executor_url = config_.executor_url;
  options.load_framework_id = [this]() -> Result<std::string> {
    const auto record = store_.get(store::keys::kFramework);
    if (!record) return fail(record.error().message);
    return *record ? (*record)->value : std::string();
  };
  options.store_framework_id = [this](const std::string& id) -> Result<void> {
    const auto stored = store_.commit({{candidate_.fence()}, {store::put(std::string(store::keys::kFramework), id)}});
    if (!stored) return fail(stored.error().message);
    return {};
  };
  if (const auto good = engine::check(options); !good) return std::unexpected(good.error());
  return std::make_unique<engine::MesosEngine>(std::move(options));
}

}  // namespace overlord::scheduler
