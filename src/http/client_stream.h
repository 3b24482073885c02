#pragma once
// ClientStream: one HTTP request whose answer is read in pieces as it comes, for ever if need be: a watch, events.
// No thread of its own: bytes move while read() is waiting. All by one thread, but wake() by any.

#include <atomic>
#include <memory>
#include <optional>

#include "http/client.h"

namespace overlord::http {

class ClientStream {
 public:
  // options.timeout and max_body do not count.
  explicit ClientStream(ClientOptions options);
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // Asks a server (as for Client); an earlier request is given up.
  void start(std::string_view server, std::string_view method, std::string_view target, std::string_view body = {},
             std::span<const std::string> headers = {});
  // Gives the request up.
  void stop();

  struct Piece {
    std::string bytes;   // empty: nothing came in time, or somebody called wake()
    bool ended = false;  // the answer is complete
    int status = 0;      // 0 while the head has not come
  };
  // What has come, after waiting for it for so long at most. An error: there was no connection or it broke, after
  // whatever had come was read; nothing more will come until the next start().
  Result<Piece> read(std::chrono::milliseconds patience);
  // A header of the answer, by its name in lower case; empty: it has none such, or its head has not come. As it was when
  // the answer ended, until the next start().
  std::string header(std::string_view lower_case_name) const;
  // Ends the read() that waits, or the next one, at once.
  void wake();

 private:
  struct Parts;
  const ClientOptions options_;
  const std::unique_ptr<Parts> parts_;
  std::string what_;  // for errors
  std::atomic<bool> woken_{false};
};

}  // namespace overlord::http
