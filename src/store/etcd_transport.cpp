#include "store/etcd_transport.h"

#include <algorithm>
#include <thread>

namespace overlord::store::etcd {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kMostIdle = 8;  // connections to a member
constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{500};
constexpr int kOk = 200;
constexpr const char* kLoginPath = "/v3/auth/authenticate";

// Codes of gRPC.
constexpr int kInvalidArgument = 3;
constexpr int kNotFound = 5;
constexpr int kResourceExhausted = 8;
constexpr int kFailedPrecondition = 9;
constexpr int kAborted = 10;
constexpr int kOutOfRange = 11;
constexpr int kPermissionDenied = 7;
constexpr int kUnimplemented = 12;
constexpr int kUnauthenticated = 16;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Of those that etcd says before it has proposed the change to its cluster.
bool before_proposal(std::string_view message) {
  return has(message, "etcdserver: no leader") || has(message, "too many requests") ||
         has(message, "proposal dropped") || has(message, "etcdserver: not capable");
}

}  // namespace

EtcdTransport::EtcdTransport(EtcdOptions options) : options_(std::move(options)), idle_(options_.members.size()) {}

http::ClientOptions EtcdTransport::client_options() const {
  http::ClientOptions options;
  options.connect_timeout = options_.connect_timeout;
  options.timeout = options_.timeout;
  options.max_body = kMaxAnswer;
  // hasleader: a member that has lost its cluster says so and does not wait.
  options.headers = {"Content-Type: application/json", "Grpc-Metadata-hasleader: true", "Expect:"};
  options.tls = options_.tls;
  return options;
}

size_t EtcdTransport::preferred() {
  const std::scoped_lock lock(mutex_);
  return preferred_;
}

void EtcdTransport::avoid(size_t member) {
  const std::scoped_lock lock(mutex_);
  if (preferred_ == member) preferred_ = (member + 1) % options_.members.size();
}

std::unique_ptr<http::Client> EtcdTransport::borrow(size_t member) {
  {
    const std::scoped_lock lock(mutex_);
    auto& idle = idle_[member];
    if (!idle.empty()) {
      auto client = std::move(idle.back());
      idle.pop_back();
      return client;
    }
  }
  return std::make_unique<http::Client>(options_.members[member], client_options());
}

void EtcdTransport::give_back(size_t member, std::unique_ptr<http::Client> client) {
  const std::scoped_lock lock(mutex_);
  if (idle_[member].size() < kMostIdle) idle_[member].push_back(std::move(client));
}

Answer<std::string> EtcdTransport::call(const char* path, const std::string& body, Kind kind, bool* too_long) {
  const auto until = Clock::now() + options_.patience;
  milliseconds pause = kFirstPause;
  for (size_t tries = 1;; ++tries) {
    bool again = false;
    auto answer = try_once(path, body, kind, too_long, again);
    if (answer || !again || Clock::now() >= until) return answer;
    if (tries % options_.members.size() != 0) continue;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

Answer<std::string> EtcdTransport::try_once(const char* path, const std::string& body, Kind kind, bool* too_long,
                                            bool& again) {
  std::vector<std::string> lines;
  if (path != kLoginPath) {
    auto found = headers();
    if (!found) return std::unexpected(found.error());
    lines = std::move(*found);
  }
  const size_t member = preferred();
  auto client = borrow(member);
  auto answer = client->ask("POST", path, body, lines);
  const http::Fate fate = client->fate();
  give_back(member, std::move(client));
  if (!answer) {
    if (fate == http::Fate::too_long) {
      if (too_long != nullptr) *too_long = true;
      return fail(Trouble::refused, answer.error().message);
    }
    avoid(member);
    if (fate == http::Fate::lost && kind == Kind::once) return fail(Trouble::uncertain, answer.error().message);
    again = true;
    return fail(Trouble::unavailable, answer.error().message);
  }
  if (answer->status == kOk) return std::move(answer->body);
  const auto refusal = parse_refusal(answer->body);
  const auto [error, retry] = verdict(
      refusal.value_or(Refusal{0, "HTTP status " + std::to_string(answer->status) + " and no word of etcd"}), kind);
  if (retry) avoid(member);
  again = retry;
  return fail(error.trouble, options_.members[member] + path + ": " + error.message);
}

Error EtcdTransport::judge(const Refusal& refusal, Kind kind) { return verdict(refusal, kind).error; }

EtcdTransport::Verdict EtcdTransport::verdict(const Refusal& refusal, Kind kind) {
  const std::string& message = refusal.message;
  switch (refusal.code) {
    case kInvalidArgument:
      // The users have changed since the login, or logins came to be asked for.
      if (!has(message, "auth store is old") && !has(message, "user name is empty")) break;
      [[fallthrough]];
    case kUnauthenticated:
      if (options_.user.empty()) break;
      forget_token();
      return {{Trouble::unavailable, message}, true};
    case kNotFound:
      if (has(message, "lease")) return {{Trouble::expired, message}};
      break;
    case kOutOfRange:
      if (has(message, "compacted")) return {{Trouble::compacted, message}};
      break;
    case kResourceExhausted:
      if (!has(message, "database space exceeded")) return {{Trouble::unavailable, message}, true};
      return {{Trouble::unavailable, message + "; compact and defragment etcd, and disarm its alarm"}};
    case kFailedPrecondition:
    case kAborted:
    case kPermissionDenied:
    case kUnimplemented: break;
    default:
      if (kind == Kind::repeatable || before_proposal(message)) return {{Trouble::unavailable, message}, true};
      return {{Trouble::uncertain, message}};
  }
  return {{Trouble::refused, message}};
}

bool EtcdTransport::answers(size_t member) {
  http::ClientOptions options = client_options();
  options.timeout = options_.silence;
  return http::Client(options_.members[member], options).ask("POST", "/v3/maintenance/status", "{}").has_value();
}

Answer<std::vector<std::string>> EtcdTransport::headers() {
  if (options_.user.empty()) return std::vector<std::string>{};
  const auto known = token();
  if (!known) return std::unexpected(known.error());
  if (known->empty()) return std::vector<std::string>{};
  return std::vector<std::string>{"Authorization: " + *known};
}

Answer<std::string> EtcdTransport::token() {
  {
    const std::scoped_lock lock(mutex_);
    if (has_token_) return token_;
  }
  auto answer = call(kLoginPath, login_request(options_.user, options_.password), Kind::repeatable);
  std::optional<std::string> made;
  if (answer) {
    made = parse_token(*answer);
    if (!made) return fail(Trouble::unavailable, "etcd's answer to the login cannot be read");
  } else if (answer.error().trouble == Trouble::refused &&
             has(answer.error().message, "authentication is not enabled")) {
    made.emplace();
  } else {
    return answer;
  }
  const std::scoped_lock lock(mutex_);
  token_ = std::move(*made);
  has_token_ = true;
  return token_;
}

void EtcdTransport::forget_token() {
  const std::scoped_lock lock(mutex_);
  has_token_ = false;
  token_.clear();
}

}  // namespace overlord::store::etcd
