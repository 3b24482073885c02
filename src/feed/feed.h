#pragma once
// Feed: the cluster file of a proxy as the platform writes it, followed live. A thread asks the API server for it and waits
// there for changes (long poll); what is new is checked, kept in a file, the last good copy, and reported. A proxy starts and
// serves from that copy when the platform cannot be reached, and a file that is refused changes nothing.
//
// The answer is TOML with an ETag (docs/platform.md). With several servers the next one is asked when one does not answer;
// between failures the time doubles, with jitter, so that a platform that comes back is not stormed.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "http/client.h"

namespace overlord::feed {

struct FeedOptions {
  std::string servers{};     // URLs with commas between them
  std::string clusters{};    // names with commas between them; empty: all that the token may see
  std::string token_file{};  // read before each request, so that a token can be changed; empty: none is sent
  std::string ca_file{};     // of https servers; empty: those of the system
  std::string copy{};        // the file; readable by its owner alone, since it has passwords in it
  std::string proxy{};       // how this proxy is named to the platform: 64 letters, digits, '_', '-' and '.' at most
  std::string stat{};        // where it shows its metrics, as Prometheus reaches it

  std::chrono::milliseconds wait{30'000};      // of a long poll
  std::chrono::milliseconds first_retry{500};  // grows to `last_retry`
  std::chrono::milliseconds last_retry{30'000};
};

// "a,b" without the empty ones.
std::vector<std::string> split_list(std::string_view text);

struct FeedStatus {
  bool connected = false;    // the last request was answered
  uint64_t taken = 0;        // files since the start
  uint64_t refused = 0;      // files that the proxy could not use
  std::string trouble = {};  // why not, in words
};

class Feed {
 public:
  // Whether the proxy could serve with that file; the error says why not. On the thread of first() or of the feed.
  using Check = std::function<Result<void>(const std::string& path)>;
  // The copy has changed; false: it could not be put in force now, try again soon. On the feed's thread.
  using Changed = std::function<bool()>;

  Feed(FeedOptions options, Check check);
  ~Feed() { stop(); }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Before the proxy starts: gets the file now. With a copy of before each server is asked once, and that none gave it is
  // only logged; without one it tries for so long, and it is an error.
  Result<void> first(std::chrono::milliseconds patience);
  // Follows from now on.
  void start(Changed changed);
  void stop();
  FeedStatus status() const;

 private:
  using Clock = std::chrono::steady_clock;

  void follow();
  // Whether the file has changed.
  Result<bool> ask(std::chrono::milliseconds wait);
  Result<bool> take(const std::string& text);
  void note(const Result<bool>& answer);
  bool pause(std::chrono::milliseconds least);

  const FeedOptions options_;
  const std::vector<std::string> servers_;
  const Check check_;
  Changed changed_;
  size_t server_ = 0;
  std::string etag_;    // of what the server said last
  std::string copied_;  // the copy, as this process wrote or found it: another that takes over writes it too
  std::mt19937_64 random_{std::random_device()()};
  std::atomic<bool> cancelled_{false};
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stopping_ = false;
  mutable std::mutex status_mutex_;  // guards status_
  FeedStatus status_;
};

}  // namespace overlord::feed
