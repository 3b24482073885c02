// An executor that runs no nodes, for tests: it says of each task what its setting "play" tells it to. Words, by commas:
//   starting, running, sick, failed, finished   that update
//   exit                                        the process ends at once, with status 7
//   deaf                                        a KILL is passed over
//   pause                                       a second in which nothing is heard or said
// A message is sent back with "echo:" before it; "say WORDS" plays those for the last task.
#include <cstdlib>
#include <iostream>
#include <thread>

#include "base/log.h"
#include "executor_mesos/executor_client.h"

namespace {

using namespace overlord;
using executor_mesos::ExecutorClient;

class Player {
 public:
  void use(ExecutorClient& client) { client_ = &client; }
  void launch(const model::NodeTask& task) {
    last_ = task.id;
    const auto play = task.settings.find("play");
    say(play == task.settings.end() ? "starting,running" : play->second);
  }
  void kill(const std::string& id) {
    if (deaf_) return;
    client_->update({.task_id = id, .state = mesos::State::killed, .message = "killed by request", .healthy = {}});
    client_->stop();
  }
  void shutdown() {
    if (!last_.empty()) {
      client_->update({.task_id = last_, .state = mesos::State::killed, .message = "shut down", .healthy = {}});
    }
    client_->stop();
  }
  void message(const std::string& data) {
    if (data.starts_with("say ")) return say(data.substr(4));
    client_->message("echo:" + data);
  }

 private:
  void say(std::string_view words) {
    while (!words.empty()) {
      const auto comma = std::min(words.find(','), words.size());
      const auto word = words.substr(0, comma);
      words.remove_prefix(std::min(comma + 1, words.size()));
      if (word == "exit") std::_Exit(7);
      if (word == "pause") std::this_thread::sleep_for(std::chrono::seconds(1));
      deaf_ = deaf_ || word == "deaf";
      if (word == "starting") update(mesos::State::starting, {});
      if (word == "running") update(mesos::State::running, true);
      if (word == "sick") update(mesos::State::running, false);
      if (word == "failed" || word == "finished") {
        update(word == "failed" ? mesos::State::failed : mesos::State::finished, {});
        client_->stop();
      }
    }
  }
  void update(mesos::State state, std::optional<bool> healthy) {
    client_->update({.task_id = last_, .state = state, .message = "played", .healthy = healthy});
  }

  ExecutorClient* client_ = nullptr;
  std::string last_;
  bool deaf_ = false;
};

}  // namespace

int main() {
  auto environment = executor_mesos::read_environment([](const char* name) { return std::getenv(name); });
  if (!environment) {
    std::cerr << environment.error().message << "\n";
    return 2;
  }
  Player player;
  executor_mesos::Handlers handlers;
  handlers.launch = [&](const model::NodeTask& task) { player.launch(task); };
  handlers.kill = [&](const std::string& id, auto) { player.kill(id); };
  handlers.shutdown = [&](auto) { player.shutdown(); };
  handlers.message = [&](const std::string& data) { player.message(data); };
  executor_mesos::Times times;
  times.back_off = std::chrono::milliseconds(50);
  times.again = std::chrono::milliseconds(500);
  times.tick = std::chrono::milliseconds(20);
  ExecutorClient client(std::move(*environment), handlers, times);
  player.use(client);
  const auto ended = client.run();
  std::cout << "end " << static_cast<int>(ended.end) << " " << ended.why << ", " << ended.unacknowledged
            << " updates are not acknowledged" << std::endl;
  log_flush();
  return ended.end == executor_mesos::End::agent_lost ? 3 : 0;
}
