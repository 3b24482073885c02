// overlord: the operator's command line. `overlord ctl` looks at a running proxy and changes it, over its HTTP address; the
// other commands are the platform's (platform_commands.h).

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "ctl/tail.h"
#include "ctl/top.h"
#include "ctl/upgrade.h"
#include "ctl/views.h"
#include "http/client.h"
#include "platform_commands.h"

namespace {

using namespace overlord;

// 1: the proxy said no. 2: wrong arguments. 3: the proxy could not be reached, or is none.
constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr int kUnreachable = 3;

struct Options {
  std::string admin = "127.0.0.1:2110";
  std::string output = "table";
  std::string cluster;
  std::string key;
  std::string command;
  std::string level;
  uint32_t detail = 0;  // 0: the proxy's own default
  uint32_t count = 0;   // 0: the proxy's own default
  std::string client;
  std::string backend;
  bool errors = false;
  uint64_t slower_than = 0;  // us
  uint64_t sample = 0;       // 0: all
  double interval = 2;
  uint32_t rounds = 0;  // 0: until interrupted
  std::string binary;   // empty: the file that the proxy was started from
};

int complain(const std::string& what, int code) {
  std::cerr << "overlord: " << what << (what.ends_with('\n') ? "" : "\n");
  return code;
}

// Columns and lines of the terminal; 0 where the output is none.
winsize screen_size() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

// The page, or the exit code when there is none.
std::variant<std::string, int> page_of(http::Client& client, std::string_view method, const std::string& target) {
  auto answer = client.ask(method, target);
  if (!answer) {
    return complain(answer.error().message + "\nis the proxy running with -stat, and is this its address (--admin)?",
                    kUnreachable);
  }
  if (answer->status != 200) return complain(answer->body, kRefused);
  return std::move(answer->body);
}

int print(const Result<std::string>& text) {
  if (!text) return complain(text.error().message, kUnreachable);
  std::cout << *text;
  return 0;
}

int show(const ctl::View& view, const Options& options) {
  http::Client client(options.admin);
  std::string target(view.path);
  const auto add = [&target](std::string_view name, const std::string& value) {
    target.append(target.contains('?') ? "&" : "?").append(name).append("=").append(http::encoded(value));
  };
  if (!options.cluster.empty()) add("cluster", options.cluster);
  if (options.count > 0) add(view.count, std::to_string(options.count));
  const auto page = page_of(client, "GET", target);
  if (const int* code = std::get_if<int>(&page)) return *code;
  const std::string& text = std::get<std::string>(page);
  if (const std::string missing = ctl::missing_of(text); !missing.empty()) complain(missing, 0);
  if (options.output == "json") return print(text);
  return print(ctl::table_of(view, text, screen_size().ws_col));
}

int pass(std::string_view method, const std::string& target, const Options& options) {
  http::Client client(options.admin);
  const auto page = page_of(client, method, target);
  if (const int* code = std::get_if<int>(&page)) return *code;
  return print(std::get<std::string>(page));
}

int explain(const Options& options) {
  http::Client client(options.admin);
  std::string target = "/explain?cluster=" + http::encoded(options.cluster) + "&key=" + http::encoded(options.key);
  if (!options.command.empty()) target += "&cmd=" + http::encoded(options.command);
  const auto page = page_of(client, "GET", target);
  if (const int* code = std::get_if<int>(&page)) return *code;
  const std::string& text = std::get<std::string>(page);
  return options.output == "json" ? print(text) : print(ctl::explanation_of(text));
}

int tail(const Options& options) {
  http::Client client(options.admin);
  std::string target = "/tail";
  const auto add = [&target](std::string_view name, const std::string& value) {
    if (value.empty() || value == "0") return;
    target.append(target.contains('?') ? "&" : "?").append(name).append("=").append(http::encoded(value));
  };
  add("cluster", options.cluster);
  add("cmd", options.command);
  add("key", options.key);
  add("client", options.client);
  add("backend", options.backend);
  add("errors", options.errors ? "1" : "");
  add("slower_than", std::to_string(options.slower_than));
  add("sample", std::to_string(options.sample));
  add("limit", std::to_string(options.count));
  const bool json = options.output == "json";
  ctl::TailLines lines;
  std::string problem;
  bool titled = json;
  const auto answer = client.follow(target, [&](std::string_view piece) {
    const auto text = json ? Result<std::string>(std::string(piece)) : lines.take(piece);
    if (!text) problem = text.error().message;
    if (!text || text->empty()) return problem.empty();
    if (!std::exchange(titled, true)) std::cout << ctl::TailLines::title();
    return !(std::cout << *text << std::flush).fail();
  });
  if (!problem.empty()) return complain(problem, kUnreachable);
  if (!answer) return complain(answer.error().message, kUnreachable);
  return answer->status == 200 ? 0 : complain(answer->body, kRefused);
}

int log(const Options& options) {
  if (options.level.empty()) return pass("GET", "/log", options);
  std::string target = "/log?level=" + http::encoded(options.level);
  if (options.detail > 0) target += "&detail=" + std::to_string(options.detail);
  return pass("POST", target, options);
}

int upgrade(const Options& options) {
  http::Client client(options.admin);
  const bool json = options.output == "json";
  const auto end = ctl::upgrade(client, options.binary, [json](const std::string& line) {
    if (!json) std::cout << line << std::endl;
  });
  if (!end) return complain(end.error().message, kUnreachable);
  if (!end->done) return complain("the upgrade failed, the old process serves on: " + end->text, kRefused);
  std::cout << (json ? end->page : "done: " + end->text + "\n");
  return 0;
}

int top(const Options& options) {
  using Clock = std::chrono::steady_clock;
  http::Client client(options.admin);
  ctl::Top screens;
  Clock::time_point last{};
  for (uint32_t round = 0; options.rounds == 0 || round < options.rounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
    const auto clusters = page_of(client, "GET", "/clusters");
    if (const int* code = std::get_if<int>(&clusters)) return *code;
    const auto backends = page_of(client, "GET", "/backends");
    if (const int* code = std::get_if<int>(&backends)) return *code;
    const auto now = Clock::now();
    const double seconds = round == 0 ? 0 : std::chrono::duration<double>(now - last).count();
    last = now;
    const winsize size = screen_size();
    const size_t rows = size.ws_row > 12 ? size.ws_row - 10U : 20;
    if (size.ws_col > 0) std::cout << "\x1b[H\x1b[2J";
    const int code = print(
        screens.screen(std::get<std::string>(clusters), std::get<std::string>(backends), seconds, rows, size.ws_col));
    if (code != 0) return code;
    std::cout << std::flush;
  }
  return 0;
}

void add_ctl(CLI::App& app, Options& options, std::function<int()>& chosen) {
  CLI::App* const ctl = app.add_subcommand("ctl", "look at a running proxy, and change it");
  ctl->require_subcommand(1);
  ctl->fallthrough();
  ctl->add_option("--admin", options.admin,
                  "the proxy's HTTP address (its stat or -stat): HOST:PORT or a socket's path")
      ->envname("OVERLORD_ADMIN")
      ->capture_default_str();
  ctl->add_option("-o,--output", options.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  for (const ctl::View& view : ctl::views()) {
    CLI::App* const sub = ctl->add_subcommand(std::string(view.name), std::string(view.what));
    if (view.of_cluster) sub->add_option("--cluster", options.cluster, "only of this cluster");
    if (!view.count.empty())
      sub->add_option("-n,--count", options.count, "at most so many")->check(CLI::Range(1, 1024));
    sub->callback([&view, &options, &chosen] { chosen = [&view, &options] { return show(view, options); }; });
  }
  CLI::App* const where = ctl->add_subcommand("explain", "where a key would go, step by step");
  where->add_option("--cluster", options.cluster, "of this cluster")->required();
  where->add_option("key", options.key, "the key")->required();
  where->add_option("--cmd", options.command, "as this command, like GET");
  where->callback([&] { chosen = [&options] { return explain(options); }; });
  CLI::App* const next =
      ctl->add_subcommand("upgrade", "have the proxy give way to a new process; clients notice nothing");
  next->add_option("--binary", options.binary, "the new program, as the proxy's host names it");
  next->callback([&] { chosen = [&options] { return upgrade(options); }; });
  CLI::App* const live = ctl->add_subcommand("top", "what goes on now, again and again");
  live->add_option("-i,--interval", options.interval, "seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  live->add_option("-n,--rounds", options.rounds, "end after so many looks");
  live->callback([&] { chosen = [&options] { return top(options); }; });
  CLI::App* const follow = ctl->add_subcommand("tail", "requests live, as they are answered");
  follow->add_option("--cluster", options.cluster, "only of this cluster");
  follow->add_option("--cmd", options.command, "only these commands, like get or client*");
  follow->add_option("--key", options.key, "only keys that begin so, or a pattern with * and ?");
  follow->add_option("--client", options.client, "only clients whose address begins so, or a pattern");
  follow->add_option("--backend", options.backend, "only what went to this node, or a pattern");
  follow->add_flag("--errors", options.errors, "only errors");
  follow->add_option("--slower-than", options.slower_than, "only what took at least so many microseconds");
  follow->add_option("--sample", options.sample, "one of so many");
  follow->add_option("-n,--count", options.count, "end after so many");
  follow->callback([&] { chosen = [&options] { return tail(options); }; });
  CLI::App* const log_level = ctl->add_subcommand("log", "how much the proxy's log says; with a level: changes that");
  log_level->add_option("level", options.level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  log_level->add_option("--detail", options.detail, "of debug messages")->check(CLI::Range(1, 1000));
  log_level->callback([&] { chosen = [&options] { return log(options); }; });
  struct Plain {
    const char* name;
    const char* what;
    const char* method;
    const char* target;
  };
  static constexpr Plain kPlain[] = {
      {"config", "the configuration in force, without secrets", "GET", "/config"},
      {"diff", "what a reload would change; changes nothing", "GET", "/diff"},
      {"reload", "read the files again and put what has changed in force", "POST", "/reload"},
      {"rollback", "back to the configuration before the last reload", "POST", "/rollback"},
      {"metrics", "the page that Prometheus reads", "GET", "/metrics"}};
  for (const Plain& each : kPlain) {
    ctl->add_subcommand(each.name, each.what)->callback([&each, &options, &chosen] {
      chosen = [&each, &options] { return pass(each.method, each.target, options); };
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("overlord: the operator's command line");
  app.set_version_flag("--version", OVERLORD_VERSION);
  app.require_subcommand(1);
  Options options;
  std::function<int()> chosen;
  add_ctl(app, options, chosen);
  PlatformCommands platform(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  return chosen();
}
