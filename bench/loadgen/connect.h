#pragma once

#include <string>
#include <vector>

#include "loadgen/channel.h"
#include "loadgen/options.h"

struct addrinfo;

namespace loadgen {

/// Raises the limit of open files to `wanted` as far as the system lets this process.
void raise_file_limit(size_t wanted);

/// Makes connections to the server of the options.
class Connector {
 public:
  /// Options and context must outlive this.
  Connector(const Options& options, const TlsContext& context);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// A non-blocking connection; a closed channel when that failed, and error() says why. With TLS its handshake is yet
  /// to be made.
  Channel connect();
  /// The same with everything done that comes before the first request: TLS, HELLO.
  Channel connect_ready();
  const std::string& error() const { return error_; }

 private:
  int dial();
  void failed();

  const Options& options_;
  const TlsContext& context_;
  addrinfo* found_ = nullptr;
  std::string error_;
};

/// Opens `count` connections that are ready. On failure `error` says which and why, and none is left.
struct Connected {
  std::vector<Channel> channels;
  std::string error;
};
Connected connect_all(Connector& connector, size_t count);

}  // namespace loadgen
