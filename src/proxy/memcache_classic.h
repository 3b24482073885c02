#pragma once
// ClassicExchange: how a memcache connection asks a node that knows no meta commands, nor gat. It puts requests into older
// commands (protocol/memcache/classic_command.h), keeps with each what its reply depends on, and reads the replies to
// the one at the head of the queue.

#include <string>
#include <string_view>

#include "protocol/memcache/classic_command.h"
#include "protocol/memcache/reply_line.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class ClassicExchange {
 public:
  explicit ClassicExchange(Turn& turn) : turn_(turn) {}

  // A meta command, or a retrieval with a time. Returns the command line, or lines, for the node, valid until the next
  // call. Empty: it cannot be asked, and refusal() is the answer.
  std::string_view begin(routing::Request& request);
  std::string_view refusal() const { return command_.error; }
  // Of the request's bytes what follows the lines.
  uint64_t value_at() const { return command_.value_at; }

  enum class Step : uint8_t {
    broken,  // no reply to this command
    more,    // another one is to come
    item,    // the line of an item: its value follows, and then more
    done     // that was the last
  };
  Step take(routing::Request& head, const memcache::ReplyLine& line, std::string_view text);
  // After `item`: nobody wants its value. After `item` and `done`: the reply, or what is in front of the value. An empty
  // one is none: a miss, or the value has been it.
  bool discards() const { return discards_; }
  std::string_view reply() const { return reply_; }

  bool begun() const { return second_ || passed_; }
  void reset();

 private:
  bool take_item(const routing::Request& head, const memcache::ReplyLine& line, std::string_view text);
  bool finish(const routing::Request& head);

  Turn& turn_;
  memcache::classic::Command command_;  // the one being sent
  // Of the head.
  memcache::classic::Outcome outcome_;
  bool second_ = false;    // a reply has come
  bool passed_ = false;    // an item came; only its END is missing
  bool discards_ = false;  // and its value is not wanted
  std::string reply_;
};

}  // namespace overlord::proxy
