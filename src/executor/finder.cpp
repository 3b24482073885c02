#include "executor/finder.h"

#include <pthread.h>
#include <sys/stat.h>

#include <utility>

namespace overlord::executor {
namespace {

// 0: there is no such file.
int64_t changed_at(const std::string& path) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mtim.tv_sec * kNanoseconds + facts.st_mtim.tv_nsec : 0;
}

}  // namespace

Finder::Finder(VersionsOptions options, Done done) : versions_(std::move(options)), done_(std::move(done)) {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "finder");
    work();
  });
}

Finder::~Finder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
  }
  wake_.notify_one();
  thread_.join();
}

std::string Finder::key_of(const model::NodeTask& task) {
  return (task.type == model::CacheType::memcache ? "memcache " : "redis ") + task.version;
}

void Finder::ask(const model::NodeTask& task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(task);
  }
  wake_.notify_one();
}

std::optional<Server> Finder::known(const model::NodeTask& task) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key_of(task));
  if (found == known_.end() || changed_at(found->second.server.program) != found->second.changed) return std::nullopt;
  return found->second.server;
}

void Finder::work() {
  while (true) {
    model::NodeTask task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_.load() || !queue_.empty(); });
      if (stopping_.load()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    if (auto before = known(task)) {
      done_(task.id, std::move(*before));
      continue;
    }
    auto server = versions_.find(task, stopping_);
    if (server) {
      const std::lock_guard lock(mutex_);
      known_[key_of(task)] = {*server, changed_at(server->program)};
    }
    done_(task.id, std::move(server));
  }
}

}  // namespace overlord::executor
