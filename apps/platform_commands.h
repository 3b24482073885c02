#pragma once
// The commands of the platform for overlord's command line: `overlord cluster list` and the like.

#include <functional>
#include <list>
#include <map>
#include <string>

#include "cli/command.h"
#include "cli/session.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library has that name
class App;
}

namespace overlord {

class PlatformCommands {
 public:
  // chosen: becomes what carries the command out that was typed; valid as long as this.
  PlatformCommands(CLI::App& app, std::function<int()>& chosen);
  PlatformCommands(const PlatformCommands&) = delete;
  PlatformCommands& operator=(const PlatformCommands&) = delete;

 private:
  struct Typed {
    const cli::Command* command;
    cli::Values values;
    bool follow = false;
    bool yes = false;
  };

  void add_noun_options(CLI::App& noun);
  void add(CLI::App& noun, const cli::Command& command, std::function<int()>& chosen);
  int run(Typed& typed);

  cli::SessionOptions options_;
  std::string output_ = "table";
  std::string shell_;
  std::list<Typed> typed_;
};

}  // namespace overlord
