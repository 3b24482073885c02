// The Mesos engine by itself, for tests: commands as JSON objects, one a line, on standard input; one line of JSON for each on
// standard output. The framework's id lies in a file, as it would in the store.
//   mesos_engine_tool OPTIONS-AS-JSON
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "engine/mesos/mesos_engine.h"
#include "model/json.h"

namespace {

using Json = nlohmann::json;
using namespace overlord;
using std::chrono::milliseconds;

milliseconds ms(const Json& options, const char* name, milliseconds otherwise) {
  return milliseconds(options.value(name, static_cast<int64_t>(otherwise.count())));
}

engine::MesosOptions options_of(const Json& json) {
  engine::MesosOptions options;
  options.masters = json.at("masters").get<std::vector<std::string>>();
  options.framework.roles = json.value("roles", std::vector<std::string>{"sh001"});
  options.framework.principal = json.value("principal", "");
  options.framework.checkpoint = json.value("checkpoint", true);
  options.framework.failover_timeout = std::chrono::seconds(json.value("failover_timeout", 600));
  options.secret = json.value("secret", "");
  options.executor_url = json.value("executor_url", "");
  options.executor_command = json.value("executor_command", "");
  options.look = ms(json, "look", milliseconds(300));
  options.tick = milliseconds(20);
  options.hold = ms(json, "hold", options.hold);
  options.gather = ms(json, "gather", options.gather);
  options.back_off = milliseconds(20);
  options.longest_back_off = milliseconds(200);
  options.reconcile = ms(json, "reconcile", options.reconcile);
  options.timeout = ms(json, "timeout", options.timeout);
  options.times.ask_first = ms(json, "ask", milliseconds(200));
  options.times.kill_first = ms(json, "kill", milliseconds(200));
  options.times.kill_longest = options.times.kill_first * 4;
  const std::string file = json.at("id_file");
  options.load_framework_id = [file]() -> Result<std::string> {
    std::ifstream in(file);
    std::string id;
    std::getline(in, id);
    if (id == "unreadable") return fail("the store is away");
    return id;
  };
  options.store_framework_id = [file](const std::string& id) -> Result<void> {
    std::ofstream out(file);
    out << id << std::flush;
    if (!out) return fail("cannot write " + file);
    return {};
  };
  options.on_message = [](const std::string& executor, const std::string& data) {
    log_info("message of ", executor, ": ", data);
  };
  return options;
}

Json said(const Result<void>& result) { return result ? Json{{"ok", true}} : Json{{"error", result.error().message}}; }

Json statuses(const std::vector<engine::TaskStatus>& all) {
  Json list = Json::array();
  for (const auto& one : all) {
    list.push_back({{"id", one.id}, {"state", to_string(one.state)}, {"host", one.host}, {"message", one.message}});
  }
  return list;
}

Json hosts(const std::vector<engine::HostStatus>& all) {
  Json list = Json::array();
  for (const auto& one : all) {
    Json ports = Json::array();
    for (const auto& range : one.free.ports) ports.push_back({range.first, range.last});
    list.push_back({{"name", one.host.name},
                    {"group", one.host.group},
                    {"labels", one.host.labels},
                    {"reachable", one.reachable},
                    {"capacity", {one.host.capacity.cpu_milli, one.host.capacity.memory_mib}},
                    {"cpu", one.free.cpu_milli},
                    {"memory", one.free.memory_mib},
                    {"zone", one.free.zone},
                    {"ports", ports},
                    {"taken", one.free.taken}});
  }
  return list;
}

Json answer(engine::MesosEngine& engine, const Json& command) {
  const std::string what = command.value("do", "");
  const auto host = command.value("host", "");
  if (what == "hosts") return hosts(engine.hosts());
  if (what == "settled") return engine.settled();
  if (what == "trouble") return engine.trouble();
  if (what == "changes") return statuses(engine.changes(milliseconds(command.value("wait", 0))));
  if (what == "kill") return said(engine.kill(command.at("id"), host, milliseconds(command.value("grace", 1000))));
  if (what == "message") {
    return said(engine.message(command.at("id"), command.at("executor"), command.at("data")));
  }
  if (what == "want") {
    engine.want(command.at("offers").get<bool>());
    return true;
  }
  if (what == "launch") {
    const auto task = model::from_json<model::NodeTask>(command.at("task").dump());
    if (!task) return {{"error", task.error().message}};
    return said(engine.launch(*task));
  }
  if (what == "reconcile") {
    std::vector<engine::TaskStatus> known;
    for (const Json& task : command.at("tasks")) {
      known.push_back(
          {.id = task.at("id"), .state = engine::TaskState::running, .host = task.value("host", ""), .message = {}});
    }
    engine.reconcile(known);
    return true;
  }
  return {{"error", "unknown: " + what}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const engine::MesosOptions options = options_of(Json::parse(argv[1]));
  if (auto good = check(options); !good) {
    std::cerr << good.error().message << "\n";
    return 2;
  }
  engine::MesosEngine engine(options);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(engine, Json::parse(line)).dump() << std::endl;
  }
  return 0;
}
