#include "platform_commands.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/completion.h"

namespace overlord {
namespace {

// Asked for on the terminal, without showing it.
std::string ask_password() {
  termios before{};
  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::cerr << "password: " << std::flush;
  }
  std::string line;
  std::getline(std::cin, line);
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << "\n";
  }
  return line;
}

bool agreed(const cli::Command& command, const std::string& target) {
  if (::isatty(STDIN_FILENO) == 0) {
    std::cerr << "overlord: this needs --yes where nobody can be asked\n";
    return false;
  }
  std::cerr << command.noun << " " << command.verb << " " << target << ": " << command.what
            << ". Type its name to go on: " << std::flush;
  std::string line;
  std::getline(std::cin, line);
  return line == target;
}

size_t screen_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

PlatformCommands::PlatformCommands(CLI::App& app, std::function<int()>& chosen) {
  CLI::App* noun = nullptr;
  for (const cli::Command& command : cli::commands()) {
    if (noun == nullptr || noun->get_name() != command.noun) {
      noun = app.add_subcommand(std::string(command.noun), std::string(cli::noun_help(command.noun)));
      noun->require_subcommand(1);
      noun->fallthrough();
      add_noun_options(*noun);
    }
    add(*noun, command, chosen);
  }
  CLI::App* const completion = app.add_subcommand("completion", "a script that completes these words in a shell");
  completion->add_option("shell", shell_, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback([this, &chosen] {
    chosen = [this] {
      std::cout << cli::completion_of(shell_);
      return 0;
    };
  });
}

void PlatformCommands::add_noun_options(CLI::App& noun) {
  noun.add_option("--server", options_.server, "the API server: URL or HOST:PORT")
      ->envname("OVERLORD_SERVER")
      ->capture_default_str();
  noun.add_option("--token", options_.token, "the token to show")->envname("OVERLORD_TOKEN");
  noun.add_option("--token-file", options_.token_file, "file with the token to show")->envname("OVERLORD_TOKEN_FILE");
  noun.add_option("--ca", options_.ca_file, "certificates (PEM) that an https server is checked by")
      ->envname("OVERLORD_CA");
  noun.add_option("-o,--output", output_, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

void PlatformCommands::add(CLI::App& noun, const cli::Command& command, std::function<int()>& chosen) {
  Typed& typed = typed_.emplace_back(Typed{.command = &command, .values = {}});
  CLI::App* const sub = noun.add_subcommand(std::string(command.verb), std::string(command.what));
  for (const cli::Field& field : command.arguments) {
    auto* const option =
        sub->add_option(std::string(field.name), typed.values[std::string(field.field)], std::string(field.what));
    option->required();
    if (field.kind != cli::Kind::list) option->expected(1);
  }
  for (const cli::Field& field : command.flags) {
    auto& into = typed.values[std::string(field.field)];
    const std::string name(field.name);
    const std::string what(field.what);
    if (field.kind == cli::Kind::boolean) {
      sub->add_option(name, into, what)->expected(0, 1)->default_str("true");
    } else if (field.kind == cli::Kind::list || field.kind == cli::Kind::map) {
      sub->add_option(name, into, what)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      sub->add_option(name, into, what)->expected(1);
    }
    if (field.required) sub->get_option(name)->required();
  }
  if (command.answer == cli::Answer::job) {
    sub->add_flag("--wait", options_.wait, "show how it goes, until it is over");
  }
  if (command.noun == "job" && command.verb == "show") sub->add_flag("--follow", typed.follow, "until it is over");
  if (command.risky) sub->add_flag("-y,--yes", typed.yes, "do not ask");
  sub->callback([this, &typed, &chosen] { chosen = [this, &typed] { return run(typed); }; });
}

int PlatformCommands::run(Typed& typed) {
  options_.json = output_ == "json";
  options_.width = screen_width();
  const cli::Command& command = *typed.command;
  std::erase_if(typed.values, [](const auto& each) { return each.second.empty(); });
  if (command.risky && !typed.yes && !agreed(command, typed.values.begin()->second.front())) return cli::kUsage;
  if (command.path == "/api/v1/login" && !typed.values.contains("password")) {
    typed.values["password"] = {ask_password()};
  }
  cli::Session session(options_, std::cout, std::cerr);
  if (typed.follow) return session.follow(typed.values["id"].front());
  return session.run(command, typed.values);
}

}  // namespace overlord
