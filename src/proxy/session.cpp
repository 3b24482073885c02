#include "proxy/session.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "proxy/duration.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Failure;
using routing::Progress;
using routing::Request;
using routing::Wire;

namespace {

// A reply that is passed on in pieces: at most this much of it waits for the client.
constexpr size_t kStreamAhead = 512 * 1024;
// A reply that must wait for others: at most this much of it is held before its connection is paused.
constexpr size_t kHoldAhead = 16 * 1024 * 1024;
// Behind a command that waits at its backend: at most this much is read ahead.
constexpr size_t kListenAhead = 256 * 1024;
constexpr uint64_t kLinger = 5'000'000'000;
// A client that stops in the middle of a large value is closed after this: it holds a backend connection.
constexpr uint64_t kUploadStall = 10'000'000'000;
// Before anything is known of a client's answers, so many of its requests may be in flight.
constexpr uint64_t kFirstWindow = 64;

uint64_t answer_size(const Request& request) {
  uint64_t size = request.reply_size + request.reply_chain.size();
  for (const Request* child = request.children; child != nullptr; child = child->next) {
    size += child->reply_size + child->reply_chain.size();
  }
  return size;
}

}  // namespace

Session::Session(Cluster& cluster, uint64_t id)
    : cluster_(cluster),
      turn_(cluster.turn()),
      id_(id),
      reply_estimate_(static_cast<uint32_t>(
          std::min<uint64_t>(cluster.config().limits.max_client_buffer / kFirstWindow, UINT32_MAX))) {
  lane_.number = static_cast<uint32_t>(id);
}

Session::~Session() { stream_.out.clear(turn_.chunks()); }

void Session::start(net::UniqueFd fd, bool tls) {
  last_active_ = turn_.now();
  const config::ClusterConfig& config = cluster_.config();
  net::ProxyHeaderReader* header = nullptr;
  if (config.proxy_protocol) {
    const uint64_t limit = nanoseconds(config.proxy_protocol_timeout);
    rare().header = std::make_unique<net::ProxyHeaderReader>(turn_.loop, limit);
    header = rare().header.get();
  }
  if (tls) {
    ClusterTls& own = cluster_.tls();
    net::tls_accept(turn_.loop, stream_, std::move(fd), *this, own.clients, own.client_counters,
                    nanoseconds(config.tls_handshake_timeout), header);
  } else if (header != nullptr) {
    header->adopt(stream_, std::move(fd), *this);
  } else {
    turn_.loop.adopt(stream_, std::move(fd), *this);
  }
  if (const uint64_t tick = cluster_.client_tick()) turn_.loop.timers().arm(rare().timeouts, turn_.now(), tick);
  if (log_debug_enabled(1)) [[unlikely]] {
    log_debug(1, "cluster ", config.name, ": client ", id_, " connected", tls ? " with TLS" : "", " from ",
              net::to_string(remote_address()));
  }
}

void Session::drain() noexcept {
  if (listening_ || staying_) return die();  // what it waits for may never come
  close_when_answered();
  turn_.sessions.add(*this);
}

void Session::reconfigure(const access::Users& users, bool moved) noexcept {
  if (life_ == Life::dead) return;
  // An upload is one request, and what is behind it waits for it anyway.
  if (moved && head_ != nullptr && !uploading_) wait_for_answers();
  const uint64_t tick = cluster_.client_tick();
  if (tick > 0 && !rare().timeouts.armed()) {
    last_active_ = turn_.now();
    turn_.loop.timers().arm(rare().timeouts, turn_.now(), tick);
  }
  if (!follow_user(users)) drain();
}

bool Session::follow(const access::User*& user, const access::Users& before) const noexcept {
  const access::Users& now = cluster_.config().users;
  if (user == nullptr) return true;
  if (user == &before.default_user()) {
    user = &now.default_user();
    return true;
  }
  user = now.find(user->name());
  return user != nullptr;
}

Session::Rare& Session::rare() {
  if (rare_ == nullptr) {
    rare_ = std::make_unique<Rare>();
    rare_->timeouts.set([](void* self) { static_cast<Session*>(self)->check_timeouts(); }, this);
  }
  return *rare_;
}

// Reading

void Session::on_data(std::span<char> bytes) {
  turn_.note_input();
  last_active_ = turn_.now();
  if (life_ != Life::open) return;
  cluster_.counters().bytes_in.add(bytes.size());
  std::string_view rest(bytes.data(), bytes.size());
  if (partial_size_ > 0 || must_wait()) {
    keep_partial(rest);
    process_partial();
  } else {
    rest.remove_prefix(process(rest));
    if (!rest.empty()) keep_partial(rest);
  }
  if (life_ == Life::open && must_wait() && !(listening_ && partial_size_ < kListenAhead)) {
    note_limit();
    stop_reading();
  }
}

size_t Session::process(std::string_view bytes) {
  const size_t size = bytes.size();
  while (!bytes.empty() && life_ == Life::open && !must_wait()) {
    size_t used = 0;
    const Step step = uploading_ ? consume_upload(bytes, used) : consume(bytes, used);
    bytes.remove_prefix(used);
    if (step == Step::need_more) break;
    if (step == Step::stop) return size;
  }
  return life_ == Life::open ? size - bytes.size() : size;
}

void Session::process_partial() {
  if (partial_size_ == 0) return;
  const size_t taken = process({partial_.data + partial_done_, partial_size_ - partial_done_});
  if (partial_size_ == 0) return;  // the session died meanwhile
  partial_done_ += static_cast<uint32_t>(taken);
  if (partial_done_ == partial_size_) {
    turn_.buffers.give(partial_);
    partial_size_ = partial_done_ = 0;
  }
}

void Session::keep_partial(std::string_view bytes) {
  if (life_ != Life::open) return;
  if (partial_done_ > 0) {
    partial_size_ -= partial_done_;
    std::memmove(partial_.data, partial_.data + partial_done_, partial_size_);
    partial_done_ = 0;
  }
  const uint64_t size = uint64_t{partial_size_} + bytes.size();
  if (size > std::min<uint64_t>(cluster_.config().limits.max_request_size, UINT32_MAX)) {
    cluster_.counters().hit(Limit::max_request_size);
    tag_ = routing::CommandTag::other();
    return answer_and_close(failure_line(Failure::too_large));
  }
  turn_.buffers.grow(partial_, partial_size_, size);
  std::memcpy(partial_.data + partial_size_, bytes.data(), bytes.size());
  partial_size_ = static_cast<uint32_t>(size);
}

bool Session::must_wait() const {
  const config::Limits& limits = cluster_.config().limits;
  return weight_ >= limits.max_pipeline ||
         stream_.unsent() + ready_bytes_ + uint64_t{weight_} * reply_estimate_ >= limits.max_client_buffer ||
         (waiting_for_answers_ && head_ != nullptr) || upload_blocked_ || turn_.memory_short || moving_;
}

// Why it is not read from, where that is a limit.
void Session::note_limit() {
  if (paused_ || turn_.memory_short || moving_ || (waiting_for_answers_ && head_ != nullptr) || upload_blocked_) return;
  const bool many = weight_ >= cluster_.config().limits.max_pipeline;
  cluster_.counters().hit(many ? Limit::max_pipeline : Limit::max_client_buffer);
}

void Session::listen_on() {
  listening_ = true;
  if (!paused_ || partial_size_ - partial_done_ >= kListenAhead) return;
  paused_ = false;
  turn_.loop.resume_receive(stream_);
}

void Session::stop_reading() {
  if (paused_) return;
  paused_ = true;
  turn_.loop.pause_receive(stream_);
  turn_.sessions.add(*this);
}

void Session::on_end() {
  ended_ = true;
  if (uploading_ || listening_) return die();  // a request that can never become whole, or waits for nobody
  turn_.sessions.add(*this);
}

void Session::on_error(int error) {
  log_debug(2, "cluster ", cluster_.config().name, ": client ", id_, ": ", net::error_text(error));
  if (error == EPROTO) cluster_.note_tls_failure(net::error_text(error));
  if (error == EBADMSG && rare_ != nullptr && rare_->header != nullptr) {
    cluster_.note_bad_header(rare_->header->problem());
  }
  die();
}

// Requests

Request& Session::new_request(Wire wire, Answer answer) {
  Request& request = turn_.requests.take(wire, answer, this);
  request.in_order = head_ != nullptr;
  request.lane = &lane_;
  request.shape = reply_shape_;
  request.noreply = mute_;
  request.tag = tag_;
  request.began_at = turn_.now();
  if (!request.in_order) lane_.backend = -1;
  (tail_ == nullptr ? head_ : tail_->next) = &request;
  tail_ = &request;
  ++weight_;
  return request;
}

Request& Session::answer_request() {
  return capture_ == nullptr ? new_request(Wire::none, Answer::reply)
                             : turn_.requests.take_child(*capture_, Wire::none);
}

void Session::answer(std::string_view text) {
  Request& request = answer_request();
  turn_.requests.set_reply(request, text);
  routing::finish(request);
}

void Session::answer_static(std::string_view text) {
  Request& request = answer_request();
  request.set_static_reply(text);
  routing::finish(request);
}

void Session::answer_and_close(std::string_view text) {
  if (!text.empty()) answer(text);
  close_when_answered();
}

void Session::close_when_answered() {
  if (life_ == Life::open) life_ = Life::closing;
  turn_.sessions.add(*this);
}

void Session::on_finished(Request& request) noexcept {
  request.ready_size = answer_size(request);
  ready_bytes_ += request.ready_size;
  if (is_upload(request)) {
    rare_->upload_connection = nullptr;
    upload_blocked_ = false;
  }
  turn_.sessions.add(*this);
}

Progress Session::on_progress(Request& request) noexcept {
  const bool first = &request == head_;
  const bool alone = request.children == nullptr;
  if (first && alone) {
    request.streaming = true;
    turn_.sessions.add(*this);
  }
  const size_t held = request.reply_chain.size() + (first ? stream_.unsent() : ready_bytes_);
  if (request.take_in || held < (first ? kStreamAhead : kHoldAhead)) return Progress::more;
  request.source_paused = true;
  return Progress::pause;
}

void Session::resume_reply(Request& request) {
  if (!request.source_paused) return;
  request.source_paused = false;
  if (request.source != nullptr) request.source->resume_reply();
}

void Session::on_stalled(Request& request) noexcept {
  request.source_paused = false;
  if (&request != head_) {
    // It waits for an earlier answer, not for a slow reader: only this request is given up.
    turn_.requests.drop_reply(request);
    return routing::fail(request, Failure::too_large);
  }
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", cluster_.config().name,
             ": closed a client that does not read a large reply while others wait for it", turn.suffix());
  }
  die();
}

// Writing

void Session::on_drained() {
  last_active_ = turn_.now();
  turn_.sessions.add(*this);
}

void Session::write_ready() {
  while (head_ != nullptr && head_->finished) {
    if (head_->failure != Failure::none && head_->streaming) return die();  // half of it has been sent
    ready_bytes_ -= head_->ready_size;
    learn_reply_size((head_->streaming ? kStreamAhead : head_->ready_size) / head_->weight);
    write_request(*head_);
    pop_head();
  }
  if (head_ == nullptr || !head_->streaming) return;
  const size_t before = stream_.out.size();
  write_part(*head_, stream_.out);
  head_->passed_on += stream_.out.size() - before;
}

void Session::learn_reply_size(uint64_t size) {
  if (size >= reply_estimate_) {
    reply_estimate_ = static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX));
  } else {
    reply_estimate_ -= static_cast<uint32_t>((reply_estimate_ - size + 7) / 8);
  }
}

void Session::note_done(const Request& request) {
  const uint64_t now = turn_.now();
  cluster_.keys().on_answer(request, request.passed_on + request.ready_size, now);
  if (request.tag.number == 0) return;
  const uint64_t took = now - request.began_at;
  if (CommandTimes* const times = cluster_.times()) times->add(request.tag, took);
  if (took >= cluster_.noted_from()) [[unlikely]]
    tell_of(request, took);
}

void Session::write_request(Request& request) {
  note_done(request);
  if (request.noreply) return;
  if (request.failure != Failure::none) {
    cluster_.counters().failed(request.failure);
    return write_failure(request, stream_.out);
  }
  write_answer(request, stream_.out);
}

void Session::write_failure(Request& request, ChunkQueue& out) {
  out.append(turn_.chunks(), failure_line(request.failure));
}

void Session::pop_head() {
  Request& request = *head_;
  head_ = request.next;
  if (head_ == nullptr) tail_ = nullptr;
  weight_ -= request.weight;
  resume_reply(request);
  if (is_upload(request)) rare_->upload_request = nullptr;
  turn_.requests.release_owner(request);
}

void Session::doom() {
  doomed_ = true;
  turn_.sessions.add(*this);
}

void Session::flush_turn() noexcept {
  if (doomed_) [[unlikely]]
    return die();
  while (life_ != Life::dead) {
    const size_t held = stream_.out.size();
    write_ready();
    if (life_ == Life::dead) return;
    cluster_.counters().bytes_out.add(stream_.out.size() - held);
    if (head_ == nullptr) {
      waiting_for_answers_ = false;
      if (std::exchange(listening_, false) && partial_size_ > 0) stop_reading();  // until that has been looked at
    }
    if (life_ == Life::open && !must_wait() && partial_size_ > 0 && paused_) process_partial();
    if (head_ != nullptr && head_->finished) continue;
    turn_.loop.flush(stream_);
    if (head_ != nullptr && head_->source_paused && stream_.unsent() < kStreamAhead / 2) resume_reply(*head_);
    if (!paused_ || must_wait() || life_ != Life::open) break;
    if (partial_size_ > partial_done_ && !uploading_) {
      // Whole messages may still lie there that had to wait.
      const uint32_t before = partial_size_ - partial_done_;
      process_partial();
      if (head_ != nullptr && head_->finished) continue;
      if (must_wait()) break;
      if (partial_size_ - partial_done_ < before) continue;
    }
    paused_ = false;
    turn_.loop.resume_receive(stream_);
    break;
  }
  if (life_ == Life::dead) return;
  const bool nothing_left = head_ == nullptr && (life_ == Life::closing || (ended_ && !paused_));
  if (nothing_left) {
    turn_.loop.close_after_flush(stream_, kLinger);
    return leave();
  }
  if (stream_.unsent() > 0 && (paused_ || (head_ != nullptr && head_->source_paused))) stream_.notify_drained = true;
}

// The end

void Session::leave() {
  life_ = Life::dead;
  log_debug(1, "cluster ", cluster_.config().name, ": client ", id_, " is gone");
  abort_upload();
  if (rare_ != nullptr) {
    rare_->timeouts.cancel();
    if (rare_->header != nullptr) rare_->header->stop();
  }
  for (Request* request = std::exchange(head_, nullptr); request != nullptr;) {
    Request* next = request->next;
    resume_reply(*request);
    turn_.requests.release_owner(*request);
    request = next;
  }
  tail_ = nullptr;
  if (rare_ != nullptr) rare_->upload_request = nullptr;
  on_leave();
  turn_.buffers.give(partial_);
  partial_size_ = partial_done_ = 0;
  cluster_.remove(*this, moved_);
}

void Session::die() {
  if (life_ == Life::dead) return;
  turn_.loop.close(stream_);
  leave();
}

void Session::check_timeouts() {
  const ClientTimeouts& limits = cluster_.client_timeouts();
  const uint64_t now = turn_.now();
  const size_t unsent = stream_.unsent();
  if (unsent > 0 && unsent != rare_->last_unsent) last_active_ = now;
  rare_->last_unsent = unsent;
  const uint64_t idle = now - last_active_;
  if (uploading_ && !upload_blocked_ && idle >= kUploadStall) {
    cluster_.counters().timed_out_clients.add();
    return die();
  }
  if (unsent > 0 ? limits.write > 0 && idle >= limits.write
                 : limits.read > 0 && idle >= limits.read && head_ == nullptr && !staying_) {
    cluster_.counters().timed_out_clients.add();
    return die();
  }
  const uint64_t tick = cluster_.client_tick() > 0 ? cluster_.client_tick() : kUploadTick;
  if (cluster_.client_tick() > 0 || uploading_) turn_.loop.timers().arm(rare_->timeouts, now, tick);
}

}  // namespace overlord::proxy
