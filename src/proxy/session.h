#pragma once
// Session: one client connection. Reads requests, sends them down the route tree, and writes the answers in the
// order the requests came, once per turn. What the bytes mean is in RedisSession and MemcacheSession.
//
// Limits: at most max_pipeline requests are in flight, and only as many as their answers, guessed from the size of
// earlier ones, fit into max_client_buffer; the rest is left in the socket. A message that is not whole is kept in a buffer of the
// session's own; one with a value beyond kStreamValue is passed on as it arrives, through a backend connection
// that it has for itself, after everything before it was answered.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/users.h"
#include "handover/client_state.h"
#include "net/loop.h"
#include "net/proxy_header_reader.h"
#include "net/timer.h"
#include "proxy/backend_connection.h"
#include "proxy/cluster.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

struct ClientSnapshot;

// A client that has left its session and goes on in another one, here or in another process.
struct MovingClient {
  handover::ClientState state;
  net::UniqueFd fd;
};

class Session : public Flushable, public net::StreamHandler, public routing::RequestOwner, public Uploader {
 public:
  Session(Cluster& cluster, uint64_t id);
  ~Session() override;

  void start(net::UniqueFd fd, bool tls);
  // Closes when what is in flight has been answered; at once when nothing is.
  void drain() noexcept;
  void cut() noexcept { die(); }  // closes now
  // The cluster's configuration has changed. users: those before, which this client's may be of. moved: requests may go
  // to other backends, so what the client sends from now on waits until what it has in flight is answered.
  void reconfigure(const access::Users& users, bool moved) noexcept;
  // session_move.cpp: one step towards leaving for another process, to be asked again in later turns until the client
  // has left: what it has in flight is answered first, what only this process can finish is waited for. One whose
  // connection cannot move, because of TLS, is closed when it has been silent for a moment.
  std::optional<MovingClient> move_on();
  bool moving() const { return moving_; }
  // It does not leave after all.
  void stay_here();
  // In place of start(): a client that left another session.
  void go_on(const handover::ClientState& state, net::UniqueFd fd);
  uint64_t id() const { return id_; }
  ClientSnapshot snapshot() const;
  uint32_t requests_in_flight() const { return weight_; }
  // Bytes that the proxy holds for this client: of a request that is not whole, and of answers.
  size_t held_bytes() const { return partial_.capacity + unsent(); }
  bool held_back() const { return paused_; }  // not read from

  // Flushable
  void flush_turn() noexcept override;
  // net::StreamHandler
  void on_data(std::span<char> bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_error(int error) override;
  // routing::RequestOwner
  void on_finished(routing::Request& request) noexcept override;
  routing::Progress on_progress(routing::Request& request) noexcept override;
  void on_stalled(routing::Request& request) noexcept override;
  // Uploader
  void on_upload_drained() noexcept override;

  Session* list_prev = nullptr;  // the cluster's list of its sessions
  Session* list_next = nullptr;

 protected:
  enum class Step : uint8_t {
    consumed,   // `used` bytes were taken
    need_more,  // the message is not whole, or must wait
    stop        // nothing more is to be read from this client
  };

  // Takes one message at the front of bytes; called again for what is behind it. After need_more it is called with
  // the same bytes and more (they may have moved), so a parser that remembers how far it got need not look again.
  virtual Step consume(std::string_view bytes, size_t& used) = 0;
  // The next bytes of the request that is being uploaded; used: how many belong to it.
  virtual Step consume_upload(std::string_view bytes, size_t& used) = 0;
  // Writes one answer to `out`.
  virtual void write_answer(routing::Request& request, ChunkQueue& out) = 0;
  // Passes on what has come of the answer at the head, which is not whole.
  virtual void write_part(routing::Request& request, ChunkQueue& out) { out.splice(request.reply_chain); }
  virtual void write_failure(routing::Request& request, ChunkQueue& out);
  // The line for a failure of the proxy's own.
  virtual std::string_view failure_line(routing::Failure failure) const = 0;

  // A new request at the end of the FIFO. Fill it, then send it by route() or answer it.
  routing::Request& new_request(routing::Wire wire, routing::Answer answer);
  void route(routing::Request& request) noexcept {
    cluster_.keys().on_request(request, turn_.now());
    cluster_.root().send(request);
  }
  void add_weight(routing::Request& request, uint32_t more) {
    request.weight += more;
    weight_ += more;
  }
  // Answers without a backend. While capturing they become children of `parent` instead, and the client sees nothing.
  void capture(routing::Request* parent) { capture_ = parent; }
  void answer(std::string_view text);            // copied
  void answer_static(std::string_view text);     // kept as it is
  void answer_and_close(std::string_view text);  // then nothing more is read
  void close_when_answered();

  // login.cpp
  // The user when name and password are right; else null, and the failure is counted.
  const access::User* authenticate(std::string_view name, std::string_view password);
  // Answers a wrong password (text is copied), later each time: it costs the attacker time. Nothing else of the
  // client is read meanwhile.
  void answer_late(std::string_view text);

  // What is in flight may wait for a long time: reads on, so that the client's going is noticed, until it is answered.
  void listen_on();
  // It lives for what others send it: silence is no reason to close it.
  void stay(bool on) { staying_ = on; }
  // Closes it when the turn ends; safe to call from anywhere.
  void doom();
  bool doomed() const { return doomed_; }
  // Bytes that wait for the client.
  uint64_t unsent() const { return stream_.unsent() + ready_bytes_; }
  // Part of an answer has been written.
  bool mid_reply() const { return head_ != nullptr && head_->streaming; }
  // The user in the place of this one of earlier users. False: there is none, and the client must not stay.
  virtual bool follow_user(const access::Users& before) noexcept = 0;
  bool follow(const access::User*& user, const access::Users& before) const noexcept;
  // The client is leaving: its requests have been let go.
  virtual void on_leave() noexcept {}
  // Nothing but what save() writes would be lost if the client left when what is in flight has been answered.
  virtual bool can_move() const = 0;
  virtual void save(handover::ClientState& state) const = 0;
  virtual void restore(const handover::ClientState& state) = 0;
  void save_user(const access::User* user, handover::ClientState& state) const;
  const access::User* saved_user(const handover::ClientState& state) const;
  // client_address.cpp
  // The two ends of the client's connection: as a PROXY header told, else as the socket has them; empty when unknown.
  net::SocketAddress remote_address() const;
  net::SocketAddress local_address() const;
  uint64_t idle_ns() const { return turn_.now() - last_active_; }
  size_t kept_bytes() const { return partial_size_ - partial_done_; }  // of a message that is not whole

  // Uploads. A message may begin one only when nothing is in flight: else wait_for_answers() and need_more.
  bool in_flight() const { return head_ != nullptr; }
  void wait_for_answers() { waiting_for_answers_ = true; }
  void begin_upload(routing::Request& request);  // request.bytes: the first bytes
  void continue_upload(std::string_view bytes);  // dropped when the backend is gone
  void end_upload();
  void abort_upload();

  Cluster& cluster_;
  Turn& turn_;
  net::Stream stream_;
  uint32_t weight_ = 0;                                     // requests in flight, a multi-get's keys counted singly
  bool mute_ = false;                                       // the requests that are made now get no answer
  redis::ShapeId reply_shape_ = redis::ShapeId::resp2;      // of the requests that are made now
  routing::CommandTag tag_ = routing::CommandTag::other();  // likewise

 private:
  enum class Life : uint8_t { open, closing, dead };
  static constexpr uint64_t kUploadTick = 1'000'000'000;  // between looks at an upload that may have stalled
  // What few clients need: an idle connection must not pay for it.
  struct Rare {
    net::Timer timeouts;
    std::string client;                              // its address, once somebody wanted to know
    std::unique_ptr<net::ProxyHeaderReader> header;  // where one must come first
    size_t last_unsent = 0;
    uint64_t upload_bytes = 0;
    net::Timer penalty;  // of wrong passwords
    routing::Request* late_answer = nullptr;
    uint64_t penalty_delay = 0;                      // of the next; 0: none was wrong since the last login
    routing::Request* upload_request = nullptr;      // until it is answered
    BackendConnection* upload_connection = nullptr;  // null: the bytes go nowhere
  };
  Rare& rare();
  bool is_upload(const routing::Request& request) const {
    return rare_ != nullptr && &request == rare_->upload_request;
  }

  const net::ProxyHeader* told_addresses() const;  // null: nobody told
  routing::Request& answer_request();
  size_t process(std::string_view bytes);  // returns how many bytes were taken
  void process_partial();
  void keep_partial(std::string_view bytes);
  void stop_reading();
  bool must_wait() const;
  void note_limit();
  void write_ready();
  void write_request(routing::Request& request);
  void note_done(const routing::Request& request);
  // session_notes.cpp: for the slow log and for those who follow requests.
  [[gnu::cold, gnu::noinline]] void tell_of(const routing::Request& request, uint64_t took);
  const std::string& client_text();
  void pop_head();
  void learn_reply_size(uint64_t size);
  void resume_reply(routing::Request& request);
  void leave();  // lets go of everything but the stream
  void die();
  void check_timeouts();

  const uint64_t id_;
  routing::Lane lane_;
  Life life_ = Life::open;
  bool paused_ = false;   // not receiving
  bool ended_ = false;    // the client sends no more
  bool staying_ = false;  // stay()
  bool doomed_ = false;
  bool moving_ = false;               // reads no more, to leave when all is answered
  bool stays_ = false;                // nobody else takes it
  bool moved_ = false;                // has left; its place among the clients is still taken
  bool listening_ = false;            // listen_on()
  bool waiting_for_answers_ = false;  // the next message needs an empty FIFO
  bool uploading_ = false;
  bool upload_blocked_ = false;  // the backend must take bytes before more are read
  uint32_t reply_estimate_;      // bytes that an answer of this client takes, guessed from those before
  uint64_t ready_bytes_ = 0;     // answers that are there and not written yet
  uint32_t partial_size_ = 0;
  uint32_t partial_done_ = 0;  // bytes at the front of partial_ that were consumed
  Buffer partial_;
  routing::Request* head_ = nullptr;
  routing::Request* tail_ = nullptr;
  routing::Request* capture_ = nullptr;
  uint64_t last_active_ = 0;  // when the client last sent or took bytes
  std::unique_ptr<Rare> rare_;
};

}  // namespace overlord::proxy
