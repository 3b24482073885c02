#pragma once
// EventStream: a SUBSCRIBE and the events that come of it. No thread of its own; all by one thread, but wake() by any.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/client_stream.h"
#include "mesos/recordio.h"

namespace overlord::mesos {

class EventStream {
 public:
  // options: TLS, headers, time to connect. longest: bytes of one event.
  EventStream(http::ClientOptions options, size_t longest);

  void start(std::string_view server, std::string_view target, std::string_view body);
  void stop() { stream_.stop(); }
  void wake() { stream_.wake(); }

  struct Read {
    int status = 0;                     // of HTTP; 0: nothing has come
    std::vector<std::string> events{};  // JSON, in order; only with status 200
    std::string refusal{};              // once it has ended with another status: what the server said, cut
    bool ended = false;                 // by the server, properly
    bool heard = false;                 // bytes have come
  };
  // What has come, after waiting for so long at most. An error: it has ended without a word, or what came is no stream
  // of events; start() anew.
  Result<Read> read(std::chrono::milliseconds patience);
  std::string header(std::string_view lower_case_name) const { return stream_.header(lower_case_name); }

 private:
  http::ClientStream stream_;
  RecordIo records_;
  std::string refusal_;
};

// Where a Location leads to, as a server for http::Client: its scheme (that of `from`, if it has none), host and port.
// Empty: it leads nowhere. "//10.0.0.1:5050/master/api/v1/scheduler" gives "http://10.0.0.1:5050".
std::string server_of_location(std::string_view location, std::string_view from);

}  // namespace overlord::mesos
