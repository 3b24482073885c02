#pragma once
// MemcacheBinarySession: a client that speaks the memcache binary protocol. Its requests go to the nodes as text and
// meta commands (protocol/memcache/binary_text.h), so that it shares connections, and retrievals that wait for a node,
// with all other clients; the answers become frames when they are written.
//
// Quiet: what the client is not to see is left out when the answer is written; failures are always shown. Noop has no
// effect but its own answer, which stands behind all that were asked for before it, as every answer does.

#include "access/users.h"
#include "protocol/memcache/binary_request.h"
#include "proxy/memcache_access.h"
#include "proxy/session.h"

namespace overlord::proxy {

class MemcacheBinarySession : public Session {
 public:
  MemcacheBinarySession(Cluster& cluster, uint64_t id);

 protected:
  Step consume(std::string_view bytes, size_t& used) override;
  Step consume_upload(std::string_view bytes, size_t& used) override;
  void write_answer(routing::Request& request, ChunkQueue& out) override;
  void write_part(routing::Request& request, ChunkQueue& out) override;
  void write_failure(routing::Request& request, ChunkQueue& out) override;
  // More waits than a message may have: there is no request to answer, so the connection closes without a word.
  std::string_view failure_line(routing::Failure) const override { return {}; }

  bool follow_user(const access::Users& before) noexcept override { return follow(user_, before); }
  bool can_move() const override { return !part_begun_; }
  void save(handover::ClientState& state) const override {
    save_user(user_, state);
    state.body_left = body_left_;
    state.sasl_begun = sasl_begun_;
  }
  void restore(const handover::ClientState& state) override {
    user_ = saved_user(state);
    body_left_ = state.body_left;
    sasl_begun_ = state.sasl_begun;
  }

  const access::User* user_;  // null until the client has logged in

 private:
  using Parsed = memcache::binary::Request;

  void handle(const Parsed& parsed);
  void retrieve(const Parsed& parsed);
  void forward(const Parsed& parsed);
  Step upload(const Parsed& parsed, std::string_view bytes, size_t& used);
  void stat(const Parsed& parsed);
  void flush(const Parsed& parsed);
  void login(const Parsed& parsed);
  routing::Request& new_frame(const Parsed& parsed, routing::Wire wire, routing::Answer answer);
  bool refused(const Parsed& parsed) const { return !user_->unrestricted() && !permitted(*user_, parsed); }
  void refuse_call(const Parsed& parsed);
  void answer_frame(const Parsed& parsed, memcache::binary::Status status, std::string_view body);
  void answer_status(const Parsed& parsed, memcache::binary::Status status);

  void write_stats(routing::Request& request, ChunkQueue& out);
  void write_flushed(routing::Request& request, ChunkQueue& out);
  void write_number(routing::Request& request, ChunkQueue& out);
  void write_error(const routing::Request& request, memcache::binary::Status status, std::string_view text,
                   ChunkQueue& out);

  bool sasl_begun_ = false;  // PLAIN was chosen and its message has not come
  bool part_begun_ = false;  // of the answer that is passed on in parts its header has been written
  uint64_t body_left_ = 0;   // bytes of a refused message still to be dropped, or of a value still to be uploaded
  uint64_t part_left_ = 0;   // bytes of the value that is passed on in parts
};

}  // namespace overlord::proxy
