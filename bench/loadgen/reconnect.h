#pragma once

#include "loadgen/connect.h"
#include "loadgen/load.h"

namespace loadgen {

/// A load of short connections: connect, with TLS the handshake, one get, close, and again, on as many connections at a
/// time as the options say. A reply in the result is one such connection. With `resume` all but the first connections
/// of each place must have been resumed, or count as errors; without, none.
class Reconnect {
 public:
  Reconnect(const Options& options, const Keyspace& keys, const Wire& wire, Connector& connector);
  ~Reconnect();
  Reconnect(const Reconnect&) = delete;
  Reconnect& operator=(const Reconnect&) = delete;

  LoadResult run();

 private:
  struct Place;

  bool begin(Place& place);
  void advance(Place& place);
  bool greet(Place& place);
  void ask(Place& place);
  bool read_reply(Place& place);
  void end(Place& place, bool lost);

  const Options& options_;
  const Wire& wire_;
  Connector& connector_;
  std::vector<uint32_t> usable_;
  MixSource source_;
  int epoll_;
  std::vector<Place> places_;
  std::vector<char> buffer_;
  bool measuring_ = false;
  bool draining_ = false;
  uint64_t lost_ = 0;
  uint64_t left_ = 0;
  Tally tally_;
  LoadResult result_;
};

}  // namespace loadgen
