#pragma once
// EtcdWatch: a watch on etcd. A stream of messages from one member; when it breaks, or the member is silent and does not
// answer, another member is asked from the revision that was not delivered yet.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/client_stream.h"
#include "store/etcd_json.h"
#include "store/etcd_transport.h"

namespace overlord::store::etcd {

class EtcdWatch final : public Watch {
 public:
  EtcdWatch(std::shared_ptr<EtcdTransport> transport, std::string prefix, Revision from);
  Answer<Batch> next(std::chrono::milliseconds patience) override;
  void stop() override;

 private:
  using Clock = std::chrono::steady_clock;

  // `unavailable` from these: try again; anything else: the watch is over.
  Answer<void> connect();
  Answer<void> receive(std::chrono::milliseconds patience);
  Answer<void> take_lines();
  Answer<void> take_line(std::string_view line);
  void take_events(std::vector<Event> events, bool may_go_on);
  // The member is given up; another one is asked next.
  std::unexpected<Error> broken(std::string message);
  bool stopped();
  void pause(Clock::time_point until);

  const std::shared_ptr<EtcdTransport> transport_;
  const std::string prefix_;
  http::ClientStream stream_;
  size_t member_ = 0;  // the one asked
  bool connected_ = false;
  bool created_ = false;       // it has confirmed the watch
  Clock::time_point heard_{};  // the last sign of life
  std::string received_;       // without a whole line
  size_t searched_ = 0;        // bytes of it that hold no end of a line
  std::vector<Event> held_;    // of a revision that may go on in the next message
  std::vector<Event> ready_;
  Revision next_;        // all before it is in ready_ or delivered
  bool denied_ = false;  // the last try, which may be for an old login
  std::chrono::milliseconds pause_{0};
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopped_ = false;
};

}  // namespace overlord::store::etcd
