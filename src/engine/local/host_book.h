#pragma once
// HostBook: what the local engine knows of one host, and what it still has to say to its executor. No I/O and no thread:
// who talks with the executor tells it what was said.
//
// What was asked for and not been carried out is an errand. Errands are repeated after every reconnect until the
// executor's own list shows that they are done, so none is lost or done twice with whatever process; a launch that was
// not sent while the host is lost is given up, since nobody waits for it any more.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/local/executor_words.h"

namespace overlord::engine {

// A host of this machine: an address, and what of the machine it may give away.
struct LocalHost {
  std::string address{};  // numeric
  std::string group{};
  std::map<std::string, std::string> labels{};
  model::Spec capacity{};
  std::vector<model::PortRange> ports{};
};

struct Errand {
  bool launch = false;  // else: stop
  model::NodeTask task{};
  std::string id{};
  std::chrono::milliseconds grace{0};
};

class HostBook {
 public:
  explicit HostBook(LocalHost host) : host_(std::move(host)) {}

  // For the engine. strangers: ports of others, sorted.
  Result<void> launch(const model::NodeTask& task, const std::vector<uint16_t>& strangers);
  void kill(const std::string& id, std::chrono::milliseconds grace);
  void reconcile(const std::string& id);
  HostStatus status(const std::vector<uint16_t>& strangers) const;
  const LocalHost& host() const { return host_; }
  // Connected, and everything is known; or lost.
  bool settled() const { return link_ != Link::down; }
  bool lost() const { return link_ == Link::lost; }
  const std::string& trouble() const { return trouble_; }

  // For who talks with the executor.
  void connected(const TaskList& list);
  void disconnected(std::string why);
  void give_up(std::string why);  // the host is lost
  void heard(const EventLine& line);
  std::optional<Errand> next_errand() const;
  void trying(const Errand& errand);  // it may reach the executor from now on
  // The executor's answer; status: of HTTP.
  void answered(const Errand& errand, int status, const std::string& body);

  // What there is to tell, since it was taken last.
  std::map<std::string, TaskStatus> take_news() { return std::exchange(news_, {}); }
  bool has_news() const { return !news_.empty(); }

 private:
  enum class Link : uint8_t { down, up, lost };
  struct Asked {
    model::NodeTask task;
    bool tried = false;
  };
  struct Kill {
    std::chrono::milliseconds grace{0};
    bool sent = false;
  };

  void tell(const TaskStatus& status) { news_[status.id] = status; }
  void tell(const std::string& id, TaskState state, std::string message);
  void see(const TaskView& view);
  void forget(const std::string& id, std::string message);
  std::vector<uint16_t> own_ports() const;

  const LocalHost host_;
  Link link_ = Link::down;
  bool ever_up_ = false;
  model::Moment seen_ = 0;
  std::string trouble_ = "its executor was not reached yet";
  std::map<std::string, TaskView> tasks_;
  std::map<std::string, Asked> asked_;  // launches that the executor has not confirmed
  std::map<std::string, Kill> kills_;
  std::map<std::string, bool> wondered_;  // reconcile() asked while nothing could be said
  std::map<std::string, TaskStatus> news_;
};

}  // namespace overlord::engine
