#include "engine/local/local_engine.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "engine/local/detached.h"
#include "engine/local/kernel_ports.h"
#include "model/json.h"
#include "net/address.h"

namespace overlord::engine {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{200};
constexpr milliseconds kRetry{100};
constexpr milliseconds kFirstPause{1000};  // between starts; a busy machine takes its time
constexpr milliseconds kLongestPause{5000};
constexpr size_t kLongestLine = 1024 * 1024;
constexpr int kOk = 200;

http::ClientOptions client_options(milliseconds patience, const std::atomic<bool>& cancel) {
  return {.connect_timeout = patience, .timeout = patience, .content_type = "application/json", .cancel = &cancel};
}

}  // namespace

// One host: its book, guarded by the engine's mutex, and what only its thread uses.
struct LocalEngine::Link {
  Link(LocalHost host, const LocalOptions& options, const std::atomic<bool>& cancel)
      : folder(options.folder + "/" + host.address),
        socket(folder + "/executor.sock"),
        book(std::move(host)),
        client("unix:" + socket, client_options(options.patience, cancel)),
        stream({.connect_timeout = options.patience}) {}

  const std::string folder;
  const std::string socket;
  HostBook book;
  http::Client client;
  http::ClientStream stream;  // wake() by any thread
  std::string line;           // of the stream, not complete yet
  Clock::time_point next_check{};
  Clock::time_point down_since{Clock::now()};
  Clock::time_point next_start{};
  milliseconds pause{kFirstPause};
  pid_t holder = 0;  // executor that does not answer, and since when
  Clock::time_point held_since{};
  std::thread thread;
};

Result<std::unique_ptr<LocalEngine>> LocalEngine::start(LocalOptions options) {
  if (options.hosts.empty()) return fail("the local engine needs a host at least");
  if (options.lib.empty()) options.lib = options.folder + "/lib";
  std::set<std::string> addresses;
  for (const LocalHost& host : options.hosts) {
    if (!net::numeric_address(host.address, 1)) return fail("host " + host.address + " is not a numeric address");
    if (!addresses.insert(host.address).second) return fail("host " + host.address + " is there twice");
    std::error_code failure;
    std::filesystem::create_directories(options.folder + "/" + host.address, failure);
    if (failure) return fail("cannot make " + options.folder + "/" + host.address + ": " + failure.message());
    const std::string socket = options.folder + "/" + host.address + "/executor.sock";
    if (const auto fits = net::unix_address(socket); !fits) return fail(fits.error().message);
  }
  std::unique_ptr<LocalEngine> made(new LocalEngine(std::move(options)));
  for (const auto& link : made->links_) {
    link->thread = std::thread([engine = made.get(), it = link.get()] {
      ::pthread_setname_np(::pthread_self(), "local-engine");
      engine->work(*it);
    });
  }
  return made;
}

LocalEngine::LocalEngine(LocalOptions options) : options_(std::move(options)) {
  for (const LocalHost& host : options_.hosts) links_.push_back(std::make_unique<Link>(host, options_, stopping_));
}

LocalEngine::~LocalEngine() {
  stopping_.store(true);
  for (const auto& link : links_) link->stream.wake();
  for (const auto& link : links_) {
    if (link->thread.joinable()) link->thread.join();
  }
}

HostBook* LocalEngine::book_of(const std::string& host) {
  for (const auto& link : links_) {
    if (link->book.host().address == host) return &link->book;
  }
  return nullptr;
}

std::vector<HostStatus> LocalEngine::hosts() {
  const auto all = listeners();
  std::vector<HostStatus> statuses;
  const std::lock_guard lock(mutex_);
  for (const auto& link : links_) {
    statuses.push_back(link->book.status(taken_ports(all, link->book.host().address)));
  }
  return statuses;
}

Result<void> LocalEngine::launch(const model::NodeTask& task) {
  const auto strangers = taken_ports(listeners(), task.host);
  const std::lock_guard lock(mutex_);
  HostBook* const book = book_of(task.host);
  if (book == nullptr) return fail("there is no host " + task.host);
  if (auto asked = book->launch(task, strangers); !asked) return asked;
  news_.notify_all();
  for (const auto& link : links_) {
    if (&link->book == book) link->stream.wake();
  }
  return {};
}

Result<void> LocalEngine::kill(const std::string& id, const std::string& host, milliseconds grace) {
  const std::lock_guard lock(mutex_);
  HostBook* const book = book_of(host);
  if (book == nullptr) return fail("there is no host " + host);
  book->kill(id, grace);
  news_.notify_all();
  for (const auto& link : links_) {
    if (&link->book == book) link->stream.wake();
  }
  return {};
}

void LocalEngine::reconcile(const std::vector<TaskStatus>& known) {
  const std::lock_guard lock(mutex_);
  for (const TaskStatus& each : known) {
    HostBook* const book = book_of(each.host);
    if (book != nullptr) {
      book->reconcile(each.id);
    } else {
      unknown_.push_back({each.id, TaskState::lost, each.host, "there is no host " + each.host});
    }
  }
  news_.notify_all();
}

std::vector<TaskStatus> LocalEngine::changes(milliseconds patience) {
  std::unique_lock lock(mutex_);
  const auto any = [this] {
    return !unknown_.empty() || std::ranges::any_of(links_, [](const auto& link) { return link->book.has_news(); });
  };
  news_.wait_for(lock, patience, any);
  std::vector<TaskStatus> all = std::exchange(unknown_, {});
  for (const auto& link : links_) {
    for (auto& [id, status] : link->book.take_news()) all.push_back(std::move(status));
  }
  return all;
}

bool LocalEngine::settled() {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(links_, [](const auto& link) { return link->book.settled(); });
}

std::string LocalEngine::trouble() {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& link : links_) {
    if (link->book.trouble().empty()) continue;
    text += (text.empty() ? "host " : "; host ") + link->book.host().address + ": " + link->book.trouble();
  }
  return text;
}

// The thread of one host.
void LocalEngine::work(Link& link) {
  while (!stopping_.load()) {
    if (!connect(link)) {
      std::this_thread::sleep_for(kRetry);
      continue;
    }
    while (!stopping_.load() && run_errands(link) && follow(link) && alive(link)) {
    }
    link.stream.stop();
  }
}

void LocalEngine::down(Link& link, const std::string& why) {
  const std::lock_guard lock(mutex_);
  link.book.disconnected(why);
  const bool too_long = Clock::now() - link.down_since >= options_.lost_after;
  if (!too_long) return;
  if (!link.book.lost()) log_warn("host ", link.book.host().address, " is lost: ", why);
  link.book.give_up(why);
  news_.notify_all();
}

bool LocalEngine::connect(Link& link) {
  const auto answer = link.client.ask("GET", "/tasks");
  const auto list = answer && answer->status == kOk ? task_list(answer->body)
                    : answer
                        ? Result<TaskList>(fail("its executor answers with status " + std::to_string(answer->status)))
                        : Result<TaskList>(fail(answer.error().message));
  if (stopping_.load()) return false;
  if (!list) {
    down(link, list.error().message);
    revive(link, list.error().message);
    return false;
  }
  link.line.clear();
  link.stream.start("unix:" + link.socket, "GET", "/events?from=" + std::to_string(list->next));
  link.next_check = Clock::now() + options_.check_interval;
  link.pause = kFirstPause;
  link.holder = 0;
  const std::lock_guard lock(mutex_);
  link.book.connected(*list);
  news_.notify_all();
  return true;
}

void LocalEngine::revive(Link& link, const std::string& why) {
  if (Clock::now() < link.next_start) return;
  link.next_start = Clock::now() + link.pause;
  link.pause = std::min(link.pause * 2, kLongestPause);
  const pid_t holder = holder_of(link.folder + "/lock");
  if (holder > 0) {
    // It may just be slow to begin. Its nodes do not need it.
    if (holder != link.holder) link.held_since = Clock::now();
    link.holder = holder;
    if (Clock::now() - link.held_since < options_.patience) return;
    log_warn("host ", link.book.host().address, ": its executor ", holder, " does not answer and is killed: ", why);
    ::kill(holder, SIGKILL);
    link.pause = kFirstPause;
    return;
  }
  std::vector<std::string> arguments{
      "--host", link.book.host().address,     "--dir", link.folder, "--socket", link.socket, "--lib", options_.lib,
      "--log",  link.folder + "/executor.log"};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  log_info("host ", link.book.host().address, ": starting ", options_.program);
  const auto started = start_detached(options_.program, arguments, link.folder + "/executor.out");
  if (!started) down(link, started.error().message);
}

bool LocalEngine::run_errands(Link& link) {
  while (true) {
    std::optional<Errand> errand;
    {
      const std::lock_guard lock(mutex_);
      errand = link.book.next_errand();
      if (!errand) return true;
      link.book.trying(*errand);
    }
    const auto answer = errand->launch
                            ? link.client.ask("PUT", "/tasks", model::to_json(errand->task))
                            : link.client.ask("DELETE", "/tasks?id=" + http::encoded(errand->id) +
                                                            "&grace_ms=" + std::to_string(errand->grace.count()));
    if (!answer) {
      link.down_since = Clock::now();
      down(link, answer.error().message);
      return false;
    }
    const std::lock_guard lock(mutex_);
    link.book.answered(*errand, answer->status, answer->body);
    news_.notify_all();
  }
}

bool LocalEngine::follow(Link& link) {
  const auto lost = [&](const std::string& why) {
    link.down_since = Clock::now();
    down(link, why);
    return false;
  };
  auto piece = link.stream.read(kLook);
  if (!piece) return lost(piece.error().message);
  if (piece->status != 0 && piece->status != kOk) return lost("its executor tells no events");
  link.line += piece->bytes;
  const std::lock_guard lock(mutex_);
  size_t begin = 0;
  for (size_t end = link.line.find('\n'); end != std::string::npos; end = link.line.find('\n', begin)) {
    const std::string_view line = std::string_view(link.line).substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    const auto event = event_line(line);
    if (!event || event->reset) return false;  // everything is asked for again
    link.book.heard(*event);
  }
  link.line.erase(0, begin);
  if (link.book.has_news()) news_.notify_all();
  return !piece->ended && link.line.size() <= kLongestLine;
}

bool LocalEngine::alive(Link& link) {
  if (Clock::now() < link.next_check) return true;
  link.next_check = Clock::now() + options_.check_interval;
  const auto answer = link.client.ask("GET", "/healthz");
  if (answer) return true;
  link.down_since = Clock::now();
  down(link, answer.error().message);
  return false;
}

}  // namespace overlord::engine
