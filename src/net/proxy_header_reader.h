#pragma once
// ProxyHeaderReader: takes an accepted connection, reads the PROXY header (proxy_header.h) that must come first, and
// then hands the stream over to its handler, which gets the bytes behind the header and everything later directly.
//
// A header that is wrong, or not there in time, is on_error(EBADMSG) to the handler, and problem() says why. A peer that
// leaves without a byte is on_end(): so do load balancers see whether a port is open.
//
// Belongs to who has the stream, and stays as long: header() is asked later on. stop() when the stream is closed.

#include <span>
#include <string>

#include "net/loop.h"
#include "net/proxy_header.h"

namespace overlord::net {

class ProxyHeaderReader final : public StreamHandler {
 public:
  explicit ProxyHeaderReader(Loop& loop, uint64_t limit_ns) : loop_(loop), limit_(limit_ns) {}

  // As Loop::adopt.
  void adopt(Stream& stream, UniqueFd fd, StreamHandler& handler);
  void stop() { deadline_.cancel(); }
  // The header has been read, or there was none to come.
  bool finished() const { return finished_; }
  // Of a connection whose header another process has read; instead of adopt().
  void restore(const ProxyHeader& header) {
    header_ = header;
    finished_ = true;
  }

  const ProxyHeader& header() const { return header_; }
  const std::string& problem() const { return problem_; }

  // StreamHandler, until the header is there
  void on_data(std::span<char> bytes) override;
  void on_end() override;
  void on_error(int error) override;

 private:
  void refuse(std::string_view problem);
  void hand_over();

  Loop& loop_;
  const uint64_t limit_;
  Stream* stream_ = nullptr;
  StreamHandler* handler_ = nullptr;
  std::string kept_;  // of a header that comes in pieces
  ProxyHeader header_;
  std::string problem_;
  Timer deadline_;
  bool finished_ = false;
};

}  // namespace overlord::net
