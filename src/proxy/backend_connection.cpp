#include "proxy/backend_connection.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/log.h"
#include "net/socket.h"
#include "proxy/backend.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// A reply of which this much has come and which is not whole is passed on in pieces.
constexpr size_t kLargeReply = 64 * 1024;
// The most that is held of one reply that cannot be passed on yet because it must be merged with others.
constexpr size_t kMaxHeldReply = 64 * 1024 * 1024;
// Bytes waiting for a backend that does not read.
constexpr size_t kMaxUnsent = 32 * 1024 * 1024;
constexpr uint64_t kFirstRetry = kSecond / 20;
constexpr uint64_t kLastRetry = kSecond;
// A connection that lived shorter than this is not replaced at once.
constexpr uint64_t kShortLife = kSecond;

uint64_t with_jitter(uint64_t delay) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return delay / 2 + random() % (delay / 2 + 1);
}

}  // namespace

BackendConnection::BackendConnection(Backend& backend)
    : backend_(backend), turn_(backend.turn()), patience_(backend.limits().read_timeout) {
  deadline_.set([](void* self) { static_cast<BackendConnection*>(self)->check_deadlines(); }, this);
  reconnect_.set([](void* self) { static_cast<BackendConnection*>(self)->open(); }, this);
}

BackendConnection::~BackendConnection() {
  if (stream_.attached()) turn_.loop.close(stream_);
  if (LeaseHolder* holder = std::exchange(holder_, nullptr)) holder->on_lease_lost();
  fail_list(std::exchange(head_, nullptr), Failure::shutting_down, connected_);
  stream_.out.clear(turn_.chunks());
}

void BackendConnection::open() {
  state_ = State::connecting;
  opened_at_ = turn_.now();
  reconnect_.cancel();
  const net::SocketAddress* address = backend_.address();
  if (address == nullptr) {
    suspect_ = true;
    lose(Failure::backend_down, "its name cannot be resolved");
    return;
  }
  backend_.connect(stream_, *address, *this);
  const size_t before = stream_.out.size();
  send_handshake();
  count_sent(before);
  arm_deadline(backend_.limits().dial_timeout);
}

void BackendConnection::move(bool reopen) noexcept {
  if (state_ == State::idle) return;
  if (state_ != State::down) {
    lose(Failure::connection_lost, "its address has changed", Blame::configuration);
  }
  reconnect_.cancel();
  if (!reopen || state_ != State::down) return;
  suspect_ = false;  // what was wrong at the old place says nothing of the new one
  open();
}

void BackendConnection::send(Request& request) noexcept {
  if (suspect_) return fail(request, backend_.down_reason());
  if (queue_size_ >= backend_.limits().max_queue || stream_.unsent() > kMaxUnsent) {
    return fail(request, Failure::queue_full);
  }
  if (state_ == State::idle || state_ == State::down) {
    open();
    if (state_ != State::connecting) return fail(request, backend_.down_reason());
  }
  request.sent_at = turn_.now();
  request.backend = backend_.id();
  const size_t before = stream_.out.size();
  encode(request);
  count_sent(before);
  turn_.backends.add(*this);
  if (!deadline_.armed()) arm_deadline(patience_);
}

// What was added to `out`, which had so many bytes.
void BackendConnection::count_sent(size_t before) {
  if (stream_.out.size() > before) backend_.counters().bytes_out.add(stream_.out.size() - before);
}

void BackendConnection::fail(Request& r, Failure failure) noexcept {
  backend_.counters().request_failed(r, failure);
  note_stages(r, turn_.now());
  routing::fail(r, failure);
}

// A backend works at one request after the other: from when the one before was answered it has this one.
void BackendConnection::note_stages(Request& r, uint64_t answered_at) const {
  r.served_at = std::max(r.sent_at, popped_at_);
  r.answered_at = answered_at;
}

void BackendConnection::answered(Request& r) noexcept {
  note_stages(r, last_receive_);
  backend_.note_time(r, last_receive_);
  routing::finish(r);
}

void BackendConnection::upload(std::string_view bytes) noexcept {
  stream_.out.append(turn_.chunks(), bytes);
  turn_.backends.add(*this);
}

void BackendConnection::upload_done(Request& request) noexcept {
  request.uploading = false;
  request.sent_at = turn_.now();
  uploader_ = nullptr;
}

void BackendConnection::upload_aborted() noexcept {
  uploader_ = nullptr;
  lose(Failure::connection_lost, "a client left in the middle of a large request", Blame::client);
}

void BackendConnection::notify_drained(Uploader* uploader) {
  uploader_ = uploader;
  stream_.notify_drained = uploader != nullptr;
}

void BackendConnection::probe() noexcept {
  if (state_ != State::up || queue_size_ != 0) return;
  const size_t before = stream_.out.size();
  send_handshake();
  count_sent(before);
}

void BackendConnection::close_if_idle(uint64_t idle_ns) {
  if (state_ == State::idle || state_ == State::connecting || !idle()) return;
  if (turn_.now() - last_used() < idle_ns) return;
  turn_.loop.close(stream_);
  connected_ = false;
  reset_receive();
  deadline_.cancel();
  reconnect_.cancel();
  suspect_ = false;
  state_ = State::idle;
}

uint64_t BackendConnection::last_used() const { return std::max(last_receive_, opened_at_); }

void BackendConnection::lease_to(LeaseHolder* holder) {
  holder_ = holder;
  if (holder != nullptr) set_patience(backend_.limits().read_timeout);
}

void BackendConnection::set_patience(uint64_t ns) {
  patience_ = ns;
  deadline_.cancel();  // it was armed for another patience
  if (queue_size_ > 0) arm_deadline(state_ == State::connecting ? backend_.limits().dial_timeout : ns);
}

void BackendConnection::send_undo(std::string_view command) {
  set_patience(backend_.limits().read_timeout);
  take_internal(make_internal(routing::Wire::redis), command);
}

void BackendConnection::send_raw(std::string_view command) {
  if (state_ == State::idle) {
    open();
    if (state_ != State::connecting) return;  // lost already
  }
  stream_.out.append(turn_.chunks(), command);
  turn_.backends.add(*this);
}

void BackendConnection::abandon() noexcept {
  holder_ = nullptr;
  lose(Failure::connection_lost, {});
}

void BackendConnection::flush_turn() noexcept {
  const size_t before = stream_.out.size();
  close_open_group();
  count_sent(before);
  if (stream_.attached()) turn_.loop.flush(stream_);
}

void BackendConnection::on_connected() {
  connected_ = true;
  last_receive_ = turn_.now();
  const uint32_t keep_alive = backend_.cluster().backend_tcp_keepalive;
  if (keep_alive != net::kKeepAliveSeconds) net::tune_stream_socket(turn_.loop.fd(stream_), keep_alive);
}

void BackendConnection::on_data(std::span<char> bytes) {
  last_receive_ = turn_.now();
  backend_.counters().bytes_in.add(bytes.size());
  if (!receive({bytes.data(), bytes.size()})) {
    lose(Failure::bad_reply, head_ == nullptr ? "it sent bytes that nobody asked for" : "it sent a malformed reply");
  } else if (std::exchange(refused_, false)) {
    lose(Failure::refused_auth, "it refused the handshake");
  }
}

void BackendConnection::on_end() { lose(Failure::connection_lost, closed_text()); }

void BackendConnection::on_drained() {
  if (Uploader* uploader = std::exchange(uploader_, nullptr)) uploader->on_upload_drained();
}

void BackendConnection::on_error(int error) {
  lose(state_ == State::connecting ? Failure::backend_down : Failure::connection_lost, net::error_text(error));
}

void BackendConnection::push_queue(Request& request) {
  request.held_by_queue = true;
  request.source = this;
  request.queue_next = nullptr;
  (tail_ == nullptr ? head_ : tail_->queue_next) = &request;
  tail_ = &request;
  ++queue_size_;
}

void BackendConnection::pop_head() noexcept {
  Request& request = *head_;
  head_ = request.queue_next;
  if (head_ == nullptr) tail_ = nullptr;
  request.queue_next = nullptr;
  --queue_size_;
  large_reply_ = false;
  resume_reply();  // nothing is left to wait for its reader with
  if (!request.finished) answered(request);
  popped_at_ = last_receive_;
  turn_.requests.release_queue(request);
}

void BackendConnection::set_slice(Request& r, std::string_view slice) {
  if (r.finished) return;
  r.reply = slice.data();
  r.reply_size = slice.size();
  r.reply_volatile = true;
  turn_.note_volatile(r);
}

void BackendConnection::add_piece(Request& r, std::string_view piece) {
  const bool wanted = !r.finished && (r.owner != nullptr || r.parent != nullptr);
  if (!wanted) {
    if (!r.reply_chain.empty()) r.reply_chain.clear(turn_.chunks());
    return;
  }
  r.reply_chain.append(turn_.chunks(), piece);
  const size_t held = r.reply_chain.size();
  if (held < kLargeReply && !r.streaming) return;
  large_reply_ = true;
  if (r.parent != nullptr || r.internal) {
    if (held <= kMaxHeldReply) return;
    turn_.requests.drop_reply(r);
    fail(r, Failure::too_large);
  } else if (r.owner->on_progress(r) == routing::Progress::pause && !paused_) {
    paused_ = true;
    paused_since_ = turn_.now();
    turn_.loop.pause_receive(stream_);
    arm_deadline(kPatience);
  }
}

void BackendConnection::resume_reply() noexcept {
  if (!paused_) return;
  paused_ = false;
  last_receive_ = turn_.now();
  if (stream_.attached()) turn_.loop.resume_receive(stream_);
}

Request& BackendConnection::make_internal(routing::Wire wire) {
  Request& request = turn_.requests.take(wire, routing::Answer::reply, this);
  request.internal = true;
  request.sent_at = turn_.now();
  return request;
}

void BackendConnection::take_internal(Request& request, std::string_view bytes) {
  close_open_group();
  stream_.out.append(turn_.chunks(), bytes);
  push_queue(request);
  ++handshake_left_;
  turn_.backends.add(*this);
  if (!deadline_.armed()) arm_deadline(patience_);
}

void BackendConnection::on_finished(Request& request) noexcept {
  // Only the connection's own requests have it as owner. A failure comes through lose(), which does the rest.
  turn_.requests.flatten_reply(request);
  const bool good = request.failure == Failure::none && verify(request);
  const std::string answer(request.failure == Failure::none ? request.reply_view() : "");
  const bool failed_in_lose = request.failure != Failure::none;
  turn_.requests.release_owner(request);
  if (failed_in_lose) return;
  if (!good) {
    backend_.refuse(answer);
    refused_ = true;  // on_data closes the connection when the parser has returned
    return;
  }
  if (handshake_left_ > 0) --handshake_left_;
  if (handshake_left_ > 0) return;
  if (state_ == State::connecting) {
    state_ = State::up;
    attempts_ = 0;
    if (suspect_) {
      static LogEvery every(std::chrono::seconds(1), LogEvery::kBurst);
      if (auto turn = every.next()) log_info("backend ", backend_.name(), ": up again", turn.suffix());
    }
    suspect_ = false;
  }
  backend_.on_success();
}

void BackendConnection::fail_list(Request* list, Failure failure, bool reached) {
  while (list != nullptr) {
    Request& request = *list;
    list = request.queue_next;
    request.queue_next = nullptr;
    for (Request* member = std::exchange(request.members, nullptr); member != nullptr;) {
      Request* next = member->queue_next;
      member->queue_next = nullptr;
      if (!member->finished) fail(*member, failure);
      turn_.requests.release_queue(*member);
      member = next;
    }
    request.reached = reached;
    if (!request.finished) fail(request, failure);
    turn_.requests.release_queue(request);
  }
}

void BackendConnection::lose(Failure failure, std::string_view why, Blame blame) {
  const bool was_up = state_ == State::up;
  const bool reached = std::exchange(connected_, false);
  const uint64_t now = turn_.now();
  close_open_group();
  // The clients have been told that these writes failed: they must not arrive behind later ones that were acknowledged.
  if (failure == Failure::timed_out || failure == Failure::bad_reply) net::reset_on_close(turn_.loop.fd(stream_));
  turn_.loop.close(stream_);
  stream_.out.clear(turn_.chunks());  // the group, when the stream was detached before: not for the next connection
  reset_receive();
  stream_.notify_drained = false;
  uploader_ = nullptr;
  paused_ = false;
  large_reply_ = false;
  handshake_left_ = 0;
  refused_ = false;
  deadline_.cancel();
  state_ = State::down;
  Request* lost = std::exchange(head_, nullptr);
  tail_ = nullptr;
  const uint32_t lost_count = std::exchange(queue_size_, 0);
  if (on_demand_) return lose_lease(lost, failure, reached, why);
  const bool lived = now - opened_at_ >= kShortLife && failure != Failure::timed_out;
  const bool retry_at_once = blame == Blame::client ? !suspect_ : was_up && lived;
  if (!retry_at_once) {
    if (!suspect_ && failure != Failure::shutting_down) {
      static LogEvery every(std::chrono::seconds(1), LogEvery::kBurst);
      if (auto turn = every.next()) {
        log_warn("backend ", backend_.name(), ": ", why, " (", lost_count, " requests failed); trying again",
                 turn.suffix());
      }
    }
    suspect_ = true;
  }
  if (blame == Blame::backend) backend_.on_failure();
  fail_list(lost, failure, reached);
  if (state_ != State::down) return;  // a failed request was sent again and has opened the connection
  if (backend_.retired()) return;
  if (retry_at_once) {
    open();
  } else {
    ++attempts_;
    schedule_reconnect();
  }
}

void BackendConnection::lose_lease(Request* lost, Failure failure, bool reached, std::string_view why) {
  state_ = State::idle;
  suspect_ = false;
  // Idle ones are closed by servers too, and abandoned ones by ourselves: no fault in that.
  LeaseHolder* const holder = std::exchange(holder_, nullptr);
  if (holder != nullptr) {
    static LogEvery every(std::chrono::seconds(1));
    if (auto turn = every.next()) {
      log_warn("backend ", backend_.name(), ": lost a connection that one client had for itself: ", why, turn.suffix());
    }
    backend_.on_failure();
    backend_.leases().lost(*this);
    holder->on_lease_lost();
  }
  fail_list(lost, failure, reached);
}

void BackendConnection::schedule_reconnect() {
  uint64_t delay = std::min(kLastRetry, kFirstRetry << std::min<uint32_t>(attempts_ - 1, 10));
  delay = std::max(with_jitter(delay), backend_.min_retry());
  turn_.loop.timers().arm(reconnect_, turn_.now(), delay);
  if (attempts_ > 1) backend_.resolve_again();
}

}  // namespace overlord::proxy
