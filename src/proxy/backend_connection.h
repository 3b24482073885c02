#pragma once
// BackendConnection: one connection of one worker to one backend, shared by many clients.
//
// Requests are appended to `out` and to a queue; replies are matched to the head of the queue, in order. The queue
// is also the deadline order: a timer looks at its head only. The protocol (how bytes are framed) is in the two
// subclasses.
//
// Life: idle -> connecting -> up, and after a fault down -> (back-off) -> connecting. A new connection proves itself
// with a handshake (AUTH, PING or version) that travels ahead of the first requests. A connection that was lost is
// tried again at once and requests wait for that; when this fails too the backend counts as down and requests fail
// at once until a handshake has succeeded.

#include <cstdint>
#include <string_view>

#include "net/loop.h"
#include "net/timer.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class Backend;

// Who has a connection for itself (LeasePool).
class LeaseHolder {
 public:
  // It broke; it is not the holder's any more. Requests on it fail after this call.
  virtual void on_lease_lost() noexcept = 0;
  // A whole RESP value that no request asked for. False: that breaks the protocol.
  virtual bool on_push(std::string_view) noexcept { return false; }

 protected:
  ~LeaseHolder() = default;
};

// Who streams a large request through a connection.
class Uploader {
 public:
  virtual void on_upload_drained() noexcept = 0;  // all bytes given so far have left

 protected:
  ~Uploader() = default;
};

class BackendConnection : public Flushable,
                          public net::StreamHandler,
                          public routing::ReplySource,
                          public routing::RequestOwner {
 public:
  enum class State : uint8_t { idle, connecting, up, down };

  explicit BackendConnection(Backend& backend);
  ~BackendConnection() override;

  void open();
  // The backend's address has changed: what is in flight fails. reopen: connects to the new address at once.
  void move(bool reopen) noexcept;
  // Queues the request: its bytes are taken before this returns. Fails it when the connection is down or full.
  void send(routing::Request& request) noexcept;

  // A request with `uploading` set: more of its bytes. The connection carries nothing else meanwhile.
  virtual void upload(std::string_view bytes) noexcept;
  void upload_done(routing::Request& request) noexcept;
  // The client of the upload went away: the half-sent request cannot be ended, so the connection is. No failure of the
  // backend: it is connected again at once.
  void upload_aborted() noexcept;
  // Calls uploader.on_upload_drained() once; null takes that back.
  void notify_drained(Uploader* uploader);
  size_t unsent() const { return stream_.unsent(); }

  // Leases. A connection of a LeasePool opens when something is sent, and is not tried again when it is lost.
  void make_lease() { on_demand_ = true; }
  void lease_to(LeaseHolder* holder);  // null: nobody's any more
  bool leased() const { return holder_ != nullptr; }
  // How long replies may take from now on, in place of read_timeout; 0: for ever.
  void set_patience(uint64_t ns);
  // Sends a command whose answer, +OK, concerns nobody.
  void send_undo(std::string_view command);
  // A command whose answers come by LeaseHolder::on_push.
  void send_raw(std::string_view command);
  void give_up(std::string_view why) { lose(routing::Failure::timed_out, why); }
  // Closes; what is in flight fails.
  void abandon() noexcept;
  uint64_t last_used() const;

  State state() const { return state_; }
  Backend& backend() { return backend_; }
  // The last attempt to connect failed: requests are refused at once.
  bool failing() const { return suspect_; }
  // Ready for a request that has to wait for nobody.
  bool usable() const { return state_ != State::down && !large_reply_; }
  bool busy_with_large_reply() const { return large_reply_; }
  bool idle() const { return queue_size_ == 0 && !large_reply_; }
  uint32_t queue_size() const { return queue_size_; }
  void probe() noexcept;
  // Closes a connection that has carried nothing for so long; the next request opens it again.
  void close_if_idle(uint64_t idle_ns);

  // Flushable
  void flush_turn() noexcept override;
  // net::StreamHandler
  void on_connected() override;
  void on_data(std::span<char> bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_error(int error) override;
  // routing::ReplySource
  void resume_reply() noexcept override;
  // routing::RequestOwner, for the connection's own requests
  void on_finished(routing::Request& request) noexcept override;

 protected:
  // Appends the request's bytes to `out` and puts it (or its carrier) on the queue.
  virtual void encode(routing::Request& request) = 0;
  // Ends what encode left open, before a flush.
  virtual void close_open_group() {}
  // Frames replies; returns false when the bytes are not the protocol.
  virtual bool receive(std::string_view bytes) = 0;
  virtual void reset_receive() = 0;
  // Some of the head's reply has arrived.
  virtual bool reply_begun() const = 0;
  // The request whose reply is arriving in pieces; null when none is.
  virtual routing::Request* arriving() const = 0;
  // At least so many bytes of it are still to come.
  virtual uint64_t arriving_left() const = 0;
  // What the log says when the server hangs up.
  virtual std::string_view closed_text() const { return "it closed the connection"; }
  // Sends the handshake's requests; verify() judges their answers and may send more.
  virtual void send_handshake() = 0;
  virtual bool verify(const routing::Request& request) = 0;

  LeaseHolder* holder() const { return holder_; }
  void push_queue(routing::Request& request);
  routing::Request* queue_head() const { return head_; }
  // The head's reply is complete: takes it off the queue and finishes it unless that has happened.
  void pop_head() noexcept;
  // The reply of r, which is not the head, is complete (of a group's members).
  void answered(routing::Request& r) noexcept;
  // Fails it, and counts that here.
  void fail(routing::Request& r, routing::Failure failure) noexcept;
  // A slice of the receive buffer is the whole reply of r.
  void set_slice(routing::Request& r, std::string_view slice);
  // A piece of the reply of r, which is not whole; keep: bytes go to its chain.
  void add_piece(routing::Request& r, std::string_view piece);
  routing::Request& make_internal(routing::Wire wire);
  void take_internal(routing::Request& request, std::string_view bytes);

  Backend& backend_;
  Turn& turn_;
  net::Stream stream_;

 private:
  // How long a slow reader may keep others waiting behind its large reply before the proxy takes the rest in.
  static constexpr uint64_t kPatience = 50'000'000;
  // Whose doing it is that a connection ends: only the backend's own failures count against it.
  enum class Blame : uint8_t { backend, client, configuration };
  void lose(routing::Failure failure, std::string_view why, Blame blame = Blame::backend);
  void lose_lease(routing::Request* lost, routing::Failure failure, bool reached, std::string_view why);
  void fail_list(routing::Request* list, routing::Failure failure, bool reached);
  void schedule_reconnect();
  void check_deadlines();
  void arm_deadline(uint64_t delay);
  void expire(routing::Request& request);
  void check_stall(uint64_t now);
  bool others_wait(const routing::Request& slow) const;
  void note_stages(routing::Request& r, uint64_t answered_at) const;
  void count_sent(size_t before);

  State state_ = State::idle;
  bool suspect_ = false;      // the last attempt failed: requests do not wait for the next one
  bool large_reply_ = false;  // a large reply is under way: new clients use another connection
  bool refused_ = false;      // the handshake was answered with an error
  bool paused_ = false;       // receiving stopped for a slow reader
  bool connected_ = false;    // bytes may have left
  bool on_demand_ = false;    // one of a LeasePool
  uint32_t handshake_left_ = 0;
  uint32_t queue_size_ = 0;
  uint32_t attempts_ = 0;  // failed attempts since the last success
  routing::Request* head_ = nullptr;
  routing::Request* tail_ = nullptr;
  Uploader* uploader_ = nullptr;
  LeaseHolder* holder_ = nullptr;
  uint64_t patience_;          // ns, 0: for ever
  uint64_t popped_at_ = 0;     // loop time at which the queue last lost its head
  uint64_t last_receive_ = 0;  // loop time of the last bytes
  uint64_t paused_since_ = 0;
  uint64_t opened_at_ = 0;
  uint64_t blocked_since_ = 0;  // write deadline: when unsent bytes were last seen to move
  size_t blocked_unsent_ = 0;
  net::Timer deadline_;
  net::Timer reconnect_;
};

}  // namespace overlord::proxy
