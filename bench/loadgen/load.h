#pragma once

#include <sys/epoll.h>

#include <memory>
#include <string>
#include <vector>

#include "loadgen/channel.h"
#include "loadgen/histogram.h"
#include "loadgen/options.h"
#include "loadgen/source.h"
#include "loadgen/wire.h"

namespace loadgen {

/// CPU time of one watched process over the measured window, nanoseconds; -1 when the kernel did not tell.
struct WatchedCpu {
  int pid = 0;
  int64_t scheduler_ns = -1;
  int64_t ticks_ns = -1;
};

/// Everything a run found out. `window` counts the measured window, `total` the whole run: a wrong reply fails the run
/// whenever it came.
struct LoadResult {
  Tally window;
  Tally total;
  Histogram latency;
  double seconds = 0;
  int64_t own_cpu_ns = 0;
  std::vector<WatchedCpu> watched;
  uint64_t lost_connections = 0;
  uint64_t unanswered = 0;
  /// Open loop: requests that the schedule wanted in the window but that found every connection full.
  uint64_t unsent = 0;
};

/// One epoll loop over all client connections: keeps them busy by the options' schedule, checks every reply.
class Load {
 public:
  /// Takes the channels: non-blocking, ready. `options`, `keys` and `wire` must outlive this.
  Load(const Options& options, const Keyspace& keys, const Wire& wire, std::vector<Channel> channels);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Writes every key once. The result covers just that.
  LoadResult preload();
  /// The load of the options: warm-up, measured window, then waits for the outstanding replies.
  LoadResult run();

 private:
  struct Connection;
  enum class Phase { kWarmup, kWindow, kDrain };

  void loop(Source& source);
  void advance_phase(int64_t now);
  void begin_window(int64_t now);
  void end_window(int64_t now);
  int wait_for_events(int64_t now);
  void fill_all(Source& source, int64_t now);
  void send_due(Source& source, int64_t now);
  void on_readable(Connection& connection, Source& source);
  void take_replies(Connection& connection, std::string_view& in, int64_t now);
  void refill(Connection& connection, Source& source, int64_t now);
  char* append_request(Connection& connection, Source& source, int64_t due, char* to);
  void send_bytes(Connection& connection, std::string_view bytes);
  void flush_rest(Connection& connection);
  void watch_writable(Connection& connection, bool on);
  void drop(Connection& connection, bool wrong, std::string_view bytes);
  bool may_send() const { return phase_ != Phase::kDrain && left_ > 0; }

  const Options& options_;
  const Wire& wire_;
  const std::vector<uint32_t> usable_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<epoll_event> events_;
  std::vector<char> input_;
  std::vector<char> output_;

  Phase phase_ = Phase::kDrain;
  uint32_t depth_ = 1;  // unanswered requests per connection at most
  bool grouped_ = false;
  double rate_ = 0;
  int64_t phase_end_ = 0;
  int64_t window_start_ = 0;
  int64_t last_progress_ = 0;
  int64_t schedule_start_ = 0;
  uint64_t scheduled_ = 0;
  size_t cursor_ = 0;
  uint64_t left_ = 0;
  uint64_t outstanding_ = 0;
  size_t alive_ = 0;
  uint64_t lost_ = 0;
  uint64_t unanswered_ = 0;
  Tally tally_;
  Tally tally_at_start_;
  LoadResult result_;
};

}  // namespace loadgen
