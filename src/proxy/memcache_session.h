#pragma once
// MemcacheSession: a client that speaks the memcache text protocol. A retrieval becomes one request per key; the
// backend connections put those that go the same way into one command.

#include "protocol/memcache/request_parser.h"
#include "proxy/session.h"

namespace overlord::proxy {

class MemcacheSession final : public Session {
 public:
  using Session::Session;

 protected:
  Step consume(std::string_view bytes, size_t& used) override;
  Step consume_upload(std::string_view bytes, size_t& used) override;
  void write_answer(routing::Request& request, ChunkQueue& out) override;
  std::string_view failure_line(routing::Failure failure) const override {
    return routing::memcache_error_line(failure);
  }

 private:
  Step take_value(const memcache::Request& parsed, std::string_view bytes, size_t& used);
  void handle(const memcache::Request& parsed, std::string_view message);
  void retrieve(const memcache::Request& parsed);
  void forward(const memcache::Request& parsed, std::string_view message);
  void stats(const memcache::Request& parsed);
  void flush_all(const memcache::Request& parsed);
  void answer_unless(bool noreply, std::string_view text);
  std::string own_stats() const;

  uint64_t swallow_ = 0;      // bytes of a refused value still to be dropped
  uint64_t upload_left_ = 0;  // bytes of the value being uploaded, with its CRLF
};

}  // namespace overlord::proxy
