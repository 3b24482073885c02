#include "access/command_policy.h"

namespace overlord::access {

std::string CommandPolicy::refusal(const redis::Command& command) const {
  const std::string_view container = command.name.substr(0, command.name.find('|'));
  if (denied_.contains(command.name) || denied_.contains(container)) {
    return "NOPERM the '" + std::string(command.name) + "' command is denied by the proxy's configuration";
  }
  if (!read_only_) return {};
  // What a script will do is not known, unless it promises to read only.
  const bool script = command.treatment == redis::Treatment::script && (command.flags & redis::kReadOnly) == 0;
  if (script || (command.flags & redis::kWrite) != 0) {
    return "READONLY You can't write: the proxy's configuration makes this cluster read only";
  }
  return {};
}

}  // namespace overlord::access
