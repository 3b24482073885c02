#include "executor/versions.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "executor/archive.h"
#include "executor/files.h"
#include "http/client_stream.h"
#include "net/socket.h"

namespace overlord::executor {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

std::string_view kind_of(model::CacheType type) {
  return type == model::CacheType::memcache ? std::string_view("memcache") : std::string_view("redis");
}
std::string_view server_of(model::CacheType type) {
  return type == model::CacheType::memcache ? std::string_view("memcached") : std::string_view("redis-server");
}

// "Redis server v=7.0.15 sha=...", "memcached 1.6.18".
std::string version_in(std::string_view text) {
  for (const std::string_view mark : {"v=", "memcached "}) {
    const size_t at = text.find(mark);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = text.substr(at + mark.size());
    const std::string_view word = rest.substr(0, rest.find_first_not_of("0123456789."));
    if (server_version(word)) return std::string(word);
  }
  return {};
}

// A folder beside what it is to become, removed with whatever is in it.
class WorkFolder {
 public:
  static Result<WorkFolder> make(const std::string& above) {
    std::string path = above + "/.fetch-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
      return fail("cannot make a folder in " + above + ": " + std::strerror(errno));
    return WorkFolder(std::move(path));
  }
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    if (path_.empty()) return;
    if (const auto gone = remove_folder(path_); !gone) log_warn(gone.error().message);
  }
  const std::string& path() const { return path_; }

 private:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The folder with bin/<server> in what was unpacked; empty: there is none.
std::string home_in(const std::string& folder, std::string_view server) {
  const std::string inside = "/bin/" + std::string(server);
  if (exists(folder + inside)) return folder;
  std::error_code failure;
  for (const auto& each : std::filesystem::directory_iterator(folder, failure)) {
    if (each.is_directory(failure) && exists(each.path().string() + inside)) return each.path().string();
  }
  return {};
}

}  // namespace

Result<std::string> version_of(const std::string& program) {
  constexpr milliseconds kPatience{2000};
  constexpr size_t kMostText = 4096;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(std::string("cannot make a pipe: ") + std::strerror(errno));
  const net::UniqueFd from(ends[0]);
  net::UniqueFd to(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string name = program;
  std::string flag = "-v";
  if (program.ends_with("memcached")) flag = "-V";
  char* arguments[] = {name.data(), flag.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int failure = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return fail("cannot run " + program + ": " + std::strerror(failure));
  to.reset();
  std::string text;
  const auto until = Clock::now() + kPatience;
  while (text.size() < kMostText) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    pollfd look{.fd = from.get(), .events = POLLIN, .revents = 0};
    const int ready = left <= 0 ? 0 : ::poll(&look, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    char piece[512];
    const ssize_t got = ready <= 0 ? 0 : ::read(from.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(piece, static_cast<size_t>(got));
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  std::string version = version_in(text);
  if (version.empty()) return fail(program + " " + flag + " does not say its version");
  return version;
}

std::string Versions::home(const model::NodeTask& task) const {
  return options_.lib + "/" + std::string(kind_of(task.type)) + "/" + task.version;
}

std::string Versions::program(const model::NodeTask& task) const {
  return home(task) + "/bin/" + std::string(server_of(task.type));
}

bool Versions::present(const model::NodeTask& task) const { return exists(program(task)); }

Result<Server> Versions::find(const model::NodeTask& task, const std::atomic<bool>& cancelled) const {
  const bool memcache = task.type == model::CacheType::memcache;
  const auto server_at = [&](const std::string& path) -> Result<Server> {
    auto text = version_of(path);
    if (!text) return fail(text.error().message);
    return Server{.program = path, .version = server_version(*text).value_or(ServerVersion{}), .text = *text};
  };
  if (present(task)) return server_at(program(task));

  std::string looked = "there is no " + program(task);
  const std::string& system = memcache ? options_.system_memcached : options_.system_redis;
  if (!system.empty() && exists(system)) {
    auto found = server_at(system);
    if (found && satisfies(found->text, task.version)) return found;
    looked += found ? ", " + system + " is " + found->text : ", " + found.error().message;
  }
  const std::string asked = std::string(kind_of(task.type)) + " " + task.version + ": ";
  if (task.file_server.empty()) {
    return fail(asked + looked + ", and no file server is set that it could be fetched from");
  }
  if (const auto fetched = fetch(task, cancelled); !fetched)
    return fail(asked + looked + "; " + fetched.error().message);
  return server_at(program(task));
}

Result<void> Versions::fetch(const model::NodeTask& task, const std::atomic<bool>& cancelled) const {
  const std::string above = options_.lib + "/" + std::string(kind_of(task.type));
  if (const auto made = make_folder(above); !made) return made;
  // Executors of several virtual hosts share the folder: one fetches, the others wait and find it there.
  const auto lock = FileLock::take(above + "/.lock", true);
  if (!lock) return fail(lock.error().message);
  if (present(task)) return {};
  const auto work = WorkFolder::make(above);
  if (!work) return fail(work.error().message);
  const std::string name = std::string(kind_of(task.type)) + "-" + task.version + ".tar.gz";
  const std::string archive = work->path() + "/archive";
  log_info("fetching ", task.file_server, "/", name);
  if (const auto got = download(task.file_server, "/" + name, archive, cancelled); !got) return got;
  if (!task.sha256.empty()) {
    const auto sum = sha256_of(archive);
    if (!sum) return fail(sum.error().message);
    if (*sum != lower_case(task.sha256)) {
      return fail(name + " from " + task.file_server + " has the SHA-256 " + *sum + ", expected was " + task.sha256);
    }
  }
  const std::string unpacked = work->path() + "/unpacked";
  if (const auto made = make_folder(unpacked); !made) return made;
  if (const auto done = unpack(archive, unpacked, cancelled); !done) return done;
  const std::string from = home_in(unpacked, server_of(task.type));
  if (from.empty()) return fail(name + " holds no bin/" + std::string(server_of(task.type)));
  std::error_code failure;
  std::filesystem::remove_all(home(task), failure);  // half of a version, without its server
  std::filesystem::rename(from, home(task), failure);
  if (failure) return fail("cannot move what was unpacked to " + home(task) + ": " + failure.message());
  log_info("fetched ", home(task));
  return {};
}

Result<void> Versions::download(const std::string& server, const std::string& target, const std::string& path,
                                const std::atomic<bool>& cancelled) const {
  constexpr milliseconds kLook{200};
  constexpr int kOk = 200;
  const net::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return fail("cannot write " + path + ": " + std::strerror(errno));
  http::ClientStream stream({});
  stream.start(server, "GET", target);
  auto last = Clock::now();
  size_t total = 0;
  while (true) {
    const auto piece = stream.read(kLook);
    const std::string what = server + target + ": ";
    if (!piece) return fail(piece.error().message);
    if (cancelled.load()) return fail(what + "the download was cancelled");
    if (piece->status != 0 && piece->status != kOk) return fail(what + "HTTP status " + std::to_string(piece->status));
    if (!piece->bytes.empty()) last = Clock::now();
    total += piece->bytes.size();
    if (total > options_.most_bytes) return fail(what + "more than " + std::to_string(options_.most_bytes) + " bytes");
    for (std::string_view rest = piece->bytes; !rest.empty();) {
      const ssize_t written = ::write(file.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return fail("cannot write " + path + ": " + std::strerror(errno));
      rest.remove_prefix(static_cast<size_t>(written));
    }
    if (piece->ended) return {};
    if (Clock::now() - last > options_.stall) return fail(what + "nothing came for a while");
  }
}

}  // namespace overlord::executor
