#pragma once
// CommandLearner: asks the backends of one cluster which commands they have (COMMAND), and publishes what the built-in
// table lacks (learned_commands.h). One worker of the process does it for all.
//
// Each backend is asked when it is first there, after each fault of it (it may have come back as another version), and
// when a client has used a name that nobody knows, at most every ten seconds (a module may have been loaded). It is
// asked for its version and the number of its commands first, and for the whole table, some 100 KiB, only when no
// backend with the same answers was asked before. One question is under way at a time, over the connections that the
// clients use. A backend that hung up three times instead of answering is not asked any more: what
// speaks redis there may not know the question, and clients would lose their requests with the connection.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "net/timer.h"
#include "proxy/learned_commands.h"
#include "proxy/pool.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class CommandLearner final : public routing::RequestOwner {
 public:
  CommandLearner(Turn& turn, Pool& pool, LearnedCommands& learned, std::string cluster);
  ~CommandLearner();
  CommandLearner(const CommandLearner&) = delete;
  CommandLearner& operator=(const CommandLearner&) = delete;

  void start() { step(); }

  // routing::RequestOwner
  void on_finished(routing::Request& request) noexcept override;

 private:
  enum class Question : uint8_t { version, count, table };
  struct Node {
    uint64_t faults = 0;      // of the backend, when it was asked
    uint64_t not_before = 0;  // loop time of the next try after one that failed
    uint32_t lost = 0;        // questions in a row that ended without an answer
    bool asked = false;
    std::string kind;  // version and number of commands; empty: not known
  };

  void step();
  bool ask_next();
  void ask(Backend& backend, Question question);
  void take_answer();
  void learn_table(std::string_view reply);
  void publish();

  Turn& turn_;
  Pool& pool_;
  LearnedCommands& learned_;
  const std::string cluster_;
  std::map<int32_t, Node> nodes_;                        // by backend id
  std::map<std::string, LearnedCommands::List> tables_;  // by kind
  routing::Request* request_ = nullptr;
  Question question_{};
  int32_t backend_ = -1;  // who is asked
  std::string kind_;      // what is known of it so far
  uint64_t last_refresh_ = 0;
  net::Timer timer_;
};

}  // namespace overlord::proxy
