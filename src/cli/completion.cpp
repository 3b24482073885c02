#include "cli/completion.h"

#include <vector>

#include "cli/command.h"

namespace overlord::cli {

std::string completion_of(std::string_view shell) {
  if (shell != "bash" && shell != "zsh") return {};
  std::vector<std::string_view> nouns;
  std::string verbs;
  std::string flags;
  for (const Command& command : commands()) {
    if (nouns.empty() || nouns.back() != command.noun) {
      if (!nouns.empty()) verbs += "\" ;;\n";
      verbs += "    " + std::string(command.noun) + ") words=\"";
      nouns.push_back(command.noun);
    } else {
      verbs += " ";
    }
    verbs += command.verb;
    flags += "    " + std::string(command.noun) + "." + std::string(command.verb) + ") words=\"$always";
    for (const Field& flag : command.flags) flags += " " + std::string(flag.name);
    if (command.answer == Answer::job) flags += " --wait";
    if (command.risky) flags += " --yes";
    flags += "\" ;;\n";
  }
  verbs += "\" ;;\n";
  std::string first = "completion ctl";
  for (const std::string_view noun : nouns) first += " " + std::string(noun);
  std::string script;
  if (shell == "zsh") script = "autoload -U +X bashcompinit && bashcompinit\n";
  script +=
      "_overlord() {\n"
      "  local words always=\"--server --token --token-file --ca --output --help\" here=${COMP_WORDS[COMP_CWORD]}\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    words=\"" +
      first +
      "\"\n"
      "  elif [ \"$COMP_CWORD\" = 2 ]; then\n"
      "    case ${COMP_WORDS[1]} in\n" +
      verbs +
      "    esac\n"
      "  else\n"
      "    case ${COMP_WORDS[1]}.${COMP_WORDS[2]} in\n" +
      flags +
      "    esac\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$here\"))\n"
      "}\n"
      "complete -F _overlord overlord\n";
  return script;
}

}  // namespace overlord::cli
