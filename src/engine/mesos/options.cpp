#include "engine/mesos/options.h"

#include <algorithm>

namespace overlord::engine {
namespace {

std::string_view file_of(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  return url.substr(url.rfind('/') + 1);
}

bool plain(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._-+").find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<std::vector<std::string>> masters_of(std::string_view url) {
  constexpr std::string_view kScheme = "mesos://";
  if (url.starts_with("zk://")) return fail("zk:// is not supported: name the masters, mesos://host:5050,host:5050");
  if (!url.starts_with(kScheme)) return fail("expected mesos://host:port,... and got " + std::string(url));
  url.remove_prefix(kScheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  std::vector<std::string> masters;
  while (!url.empty()) {
    const size_t comma = std::min(url.find(','), url.size());
    const std::string_view master = url.substr(0, comma);
    url.remove_prefix(std::min(comma + 1, url.size()));
    if (!model::host_port(master)) return fail("a master is host:port, not \"" + std::string(master) + "\"");
    masters.emplace_back(master);
  }
  if (masters.empty()) return fail("mesos:// names no master");
  return masters;
}

Result<void> check(const MesosOptions& options) {
  if (options.masters.empty()) return fail("no Mesos master is named");
  if (options.framework.roles.empty()) return fail("no role: the framework would be offered nothing");
  if (options.framework.name.empty() || options.framework.user.empty())
    return fail("the framework needs name and user");
  if (!options.load_framework_id || !options.store_framework_id)
    return fail("the framework's id has nowhere to be kept");
  if (!options.secret.empty() && options.framework.principal.empty()) return fail("a secret without a principal");
  if (options.executor_command.empty() && !plain(file_of(options.executor_url))) {
    return fail("executor_url must end with the name of a file: " + options.executor_url);
  }
  return {};
}

std::string command_of(const MesosOptions& options) {
  std::string command = options.executor_command;
  if (command.empty()) command = "exec ./" + std::string(file_of(options.executor_url));
  if (!options.executor_arguments.empty()) command += " " + options.executor_arguments;
  return command;
}

}  // namespace overlord::engine
