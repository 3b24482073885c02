#pragma once
// MemcacheSession: a client of a port for all memcache protocols. Its first byte tells whether it speaks the binary
// protocol; then this is a MemcacheBinarySession and nothing else. If not it speaks text with its meta commands
// (memcache_meta.cpp), after it has logged in where that is asked (memcache_greeting.cpp). A retrieval becomes one
// request per key; the backend connections put those that go the same way into one command.

#include "protocol/memcache/meta_request.h"
#include "protocol/memcache/request_parser.h"
#include "proxy/memcache_binary_session.h"

namespace overlord::proxy {

class MemcacheSession final : public MemcacheBinarySession {
 public:
  using MemcacheBinarySession::MemcacheBinarySession;

 protected:
  Step consume(std::string_view bytes, size_t& used) override;
  Step consume_upload(std::string_view bytes, size_t& used) override;
  void write_answer(routing::Request& request, ChunkQueue& out) override;
  void write_part(routing::Request& request, ChunkQueue& out) override;
  void write_failure(routing::Request& request, ChunkQueue& out) override;
  void save(handover::ClientState& state) const override {
    MemcacheBinarySession::save(state);
    state.dialect = static_cast<uint8_t>(dialect_);
    state.swallow = swallow_;
  }
  void restore(const handover::ClientState& state) override {
    MemcacheBinarySession::restore(state);
    dialect_ = static_cast<Dialect>(state.dialect);
    swallow_ = state.swallow;
  }
  std::string_view failure_line(routing::Failure failure) const override {
    return dialect_ == Dialect::binary ? std::string_view{} : routing::memcache_error_line(failure);
  }

 private:
  // A value larger than this is passed on while it arrives instead of being kept until it is whole.
  static constexpr uint64_t kStreamValue = 128 * 1024;
  static constexpr std::string_view kReadOnly = "SERVER_ERROR read only\r\n";

  enum class Dialect : uint8_t { unknown, login, text, binary };

  Step consume_greeting(std::string_view bytes, size_t& used);
  Step consume_login(std::string_view bytes, size_t& used);
  template <typename Parsed>
  bool refused(const Parsed& parsed) const {
    return !user_->unrestricted() && !permitted(*user_, parsed);
  }
  // What to answer then; counted.
  std::string_view denial(bool noreply);
  template <typename Parsed>
  static routing::CommandTag tag_of(memcache::ParseStatus status, const Parsed& parsed) {
    const bool good = status == memcache::ParseStatus::complete || status == memcache::ParseStatus::value;
    return good ? routing::CommandTag::of(memcache::command_id(parsed.verb)) : routing::CommandTag::other();
  }
  memcache::Limits limits() const;
  bool read_only() const { return cluster_.config().policy.read_only(); }
  Step refuse(std::string_view error, uint64_t size, uint64_t swallow, std::string_view bytes, size_t& used);
  Step upload_value(routing::Request& request, uint64_t size, std::string_view bytes, size_t& used);
  Step take_value(const memcache::Request& parsed, std::string_view bytes, size_t& used);
  void handle(const memcache::Request& parsed, std::string_view message);
  void retrieve(const memcache::Request& parsed);
  void forward(const memcache::Request& parsed, std::string_view message);
  void stats(const memcache::Request& parsed);
  void flush_all(const memcache::Request& parsed);
  Step consume_meta(std::string_view bytes, size_t& used);
  routing::Request& new_meta_request(const memcache::MetaRequest& parsed, std::string_view message);
  void answer_unless(bool noreply, std::string_view text);

  Dialect dialect_ = Dialect::unknown;
  uint64_t swallow_ = 0;      // bytes of a refused value still to be dropped
  uint64_t upload_left_ = 0;  // bytes of the value being uploaded, with its CRLF
};

}  // namespace overlord::proxy
