#pragma once
// ask_workers: a question from a thread of its own to all workers, each of which answers on its thread. Whoever has not
// answered when the time is over is left out; what it answers later is dropped.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "proxy/worker.h"

namespace overlord::proxy {

// The answers by the workers' indexes. `question` must hold what it needs by value.
template <typename T>
std::vector<std::optional<T>> ask_workers(const std::vector<std::unique_ptr<Worker>>& workers,
                                          std::chrono::milliseconds limit, const std::function<T(Worker&)>& question) {
  struct Answers {
    std::mutex mutex;
    std::condition_variable all_there;
    std::vector<std::optional<T>> list;
    size_t missing = 0;
  };
  const auto answers = std::make_shared<Answers>();
  answers->list.resize(workers.size());
  answers->missing = workers.size();
  for (size_t i = 0; i < workers.size(); ++i) {
    workers[i]->post([answers, question, worker = workers[i].get(), i] {
      T answer = question(*worker);
      const std::lock_guard lock(answers->mutex);
      answers->list[i] = std::move(answer);
      if (--answers->missing == 0) answers->all_there.notify_one();
    });
  }
  std::unique_lock lock(answers->mutex);
  answers->all_there.wait_for(lock, limit, [&] { return answers->missing == 0; });
  return std::exchange(answers->list, std::vector<std::optional<T>>(workers.size()));
}

}  // namespace overlord::proxy
