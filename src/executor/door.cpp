#include "executor/door.h"

#include <sys/stat.h>

#include <charconv>

#include "base/log.h"
#include "model/json.h"

namespace overlord::executor {
namespace {

using std::chrono::milliseconds;

constexpr const char* kJson = "application/json";

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

http::Response response_of(const Supervisor::Answer& answer) {
  switch (answer.refused) {
    case Supervisor::Refused::no: return {.type = kJson, .body = answer.text + "\n"};
    case Supervisor::Refused::bad: return http::Response::error(400, answer.text);
    case Supervisor::Refused::conflict: return http::Response::error(409, answer.text);
    case Supervisor::Refused::broken: break;
  }
  log_error("door: ", answer.text);
  return http::Response::error(500, answer.text);
}

class Events : public http::Stream {
 public:
  Events(const Supervisor& supervisor, uint64_t from, bool missed) : supervisor_(supervisor), next_(from) {
    hello_ = std::string(missed ? "{\"reset\":true," : "{") + "\"next\":" + std::to_string(from) + "}\n";
  }
  bool read(std::string& out) override {
    out += hello_;
    hello_.clear();
    const auto next = supervisor_.events(next_, out);
    // Too slow to follow: the client comes again and is told so.
    if (!next) return false;
    next_ = *next;
    return true;
  }

 private:
  const Supervisor& supervisor_;
  uint64_t next_;
  std::string hello_;
};

}  // namespace

Door::Door(Supervisor& supervisor) : supervisor_(supervisor), server_({.max_body = kTaskFileLimit}) {
  server_.route("PUT", "/tasks", "has the task in the body run",
                [this](const auto& request) { return launch(request); });
  server_.route("GET", "/tasks", "all tasks of this host",
                [this](const auto&) -> http::Response { return {.type = kJson, .body = supervisor_.tasks()}; });
  server_.route("DELETE", "/tasks", "has a task ended: id, grace_ms",
                [this](const auto& request) { return stop(request); });
  server_.route("GET", "/events", "what changes, from a number on",
                [this](const auto& request) { return events(request); });
  server_.route("GET", "/healthz", "who this is",
                [this](const auto&) -> http::Response { return {.type = kJson, .body = supervisor_.about()}; });
}

Result<void> Door::open(const std::string& path) {
  const auto address = net::unix_address(path);
  if (!address) return fail(address.error().message);
  if (auto started = server_.start(*address); !started) return started;
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    server_.stop();
    return fail("cannot keep others from " + path);
  }
  return {};
}

http::Response Door::launch(const http::Request& request) {
  const auto task = model::from_json<model::NodeTask>(request.body);
  if (!task) return http::Response::error(400, task.error().message);
  return response_of(supervisor_.launch(*task));
}

http::Response Door::stop(const http::Request& request) {
  const std::string id(request.parameter("id"));
  if (id.empty()) return http::Response::error(400, "id: the task that is to end");
  milliseconds grace = kUsualGrace;
  if (const std::string_view text = request.parameter("grace_ms"); !text.empty()) {
    const auto asked = number(text);
    if (!asked || *asked > static_cast<uint64_t>(kLongestGrace.count())) {
      return http::Response::error(400, "grace_ms: must be 0 to " + std::to_string(kLongestGrace.count()));
    }
    grace = milliseconds(*asked);
  }
  const auto answer = supervisor_.stop(id, grace);
  return answer ? response_of(*answer) : http::Response::error(404, "there is no task " + id);
}

http::Response Door::events(const http::Request& request) {
  uint64_t from = supervisor_.next_event();
  bool missed = false;
  if (const std::string_view text = request.parameter("from"); !text.empty()) {
    const auto asked = number(text);
    if (!asked) return http::Response::error(400, "from: must be a number");
    std::string ignored;
    missed = !supervisor_.events(*asked, ignored);
    if (!missed) from = *asked;
  }
  http::Response response;
  response.type = "application/x-ndjson";
  response.stream = std::make_shared<Events>(supervisor_, from, missed);
  return response;
}

}  // namespace overlord::executor
