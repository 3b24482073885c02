#pragma once
// MasterLink: the connection with the master that leads: the stream of events of one SUBSCRIBE, and calls beside it. It
// finds the leader among the masters, follows where they point, and notices when it is cut off. All by one thread, but
// wake() by any.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/mesos/options.h"
#include "mesos/event_stream.h"
#include "mesos/scheduler_events.h"

namespace overlord::engine {

class MasterLink {
 public:
  // cancel: once it is true calls end, within about a second. The options must outlive the link.
  MasterLink(const MesosOptions& options, const std::atomic<bool>& cancel);

  // Begins to subscribe, at the master whose turn it is.
  void subscribe(const mesos::Framework& framework);
  bool begun() const { return begun_; }
  bool subscribed() const { return subscribed_; }
  // Of who leads, for people; empty: nobody.
  const std::string& master() const { return master_; }

  // Events that have come, after waiting for so long at most. An error: it is over, subscribe() anew; the next turn is
  // another master's, unless retry_at_once().
  Result<std::vector<mesos::SchedulerEvent>> read(std::chrono::milliseconds patience);
  // Whether the master that was asked has pointed to another one.
  bool retry_at_once() const { return redirects_ > 0 && redirects_ <= kMostRedirects; }
  void wake() { stream_.wake(); }
  void stop();

  enum class Fate {
    taken,    // which says nothing of whether it can be done
    refused,  // it makes no sense to the master, and is not to be repeated
    lost,     // there is no master any more, or it does not know us
  };
  struct Called {
    Fate fate = Fate::taken;
    std::string why{};
  };
  Called call(const std::string& body);

 private:
  static constexpr int kMostRedirects = 5;

  Result<std::vector<mesos::SchedulerEvent>> over(std::string why);
  Result<std::vector<mesos::SchedulerEvent>> refused(const mesos::EventStream::Read& read);
  void next_master();

  const MesosOptions& options_;
  const std::atomic<bool>& cancel_;
  mesos::EventStream stream_;
  std::unique_ptr<http::Client> calls_;
  size_t turn_ = 0;         // of the masters
  std::string redirect_{};  // where the next try goes instead
  int redirects_ = 0;       // in a row
  std::string server_{};    // that was asked
  std::string stream_id_{};
  std::string master_{};
  bool begun_ = false;
  bool subscribed_ = false;
  Clock::time_point heard_{};
  std::chrono::milliseconds heartbeat_{};
};

}  // namespace overlord::engine
