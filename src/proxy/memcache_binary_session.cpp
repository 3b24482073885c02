#include "proxy/memcache_binary_session.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/memcache/binary_text.h"
#include "protocol/memcache/text.h"

namespace overlord::proxy {

using memcache::ParseStatus;
using memcache::binary::Opcode;
using memcache::binary::Status;
using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

// A value larger than this is passed on while it arrives instead of being kept until it is whole.
constexpr uint64_t kStreamValue = 128 * 1024;
constexpr std::string_view kMechanism = "PLAIN";

bool shows_key(Opcode opcode) { return opcode == Opcode::getk || opcode == Opcode::gatk; }

bool writes(Opcode opcode) {
  switch (opcode) {
    case Opcode::get:
    case Opcode::getk:
    case Opcode::noop:
    case Opcode::version:
    case Opcode::verbosity:
    case Opcode::quit:
    case Opcode::stat:
    case Opcode::sasl_list_mechs:
    case Opcode::sasl_auth:
    case Opcode::sasl_step: return false;
    default: return true;
  }
}

bool is_stats_kind(std::string_view kind) {
  constexpr std::string_view kKinds[] = {"", "settings", "items", "slabs", "sizes", "conns", "reset"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

using Frame = std::array<char, 128>;

std::string_view make_frame(const memcache::binary::Request& parsed, Status status, std::string_view body,
                            Frame& frame) {
  const size_t size = std::min(body.size(), frame.size() - memcache::binary::kHeaderSize);
  memcache::binary::write_header({.magic = memcache::binary::kReplyMagic,
                                  .opcode = parsed.header.opcode,
                                  .status = static_cast<uint16_t>(status),
                                  .body_size = static_cast<uint32_t>(size),
                                  .opaque = parsed.header.opaque},
                                 frame.data());
  if (size > 0) std::memcpy(frame.data() + memcache::binary::kHeaderSize, body.data(), size);
  return {frame.data(), memcache::binary::kHeaderSize + size};
}

}  // namespace

MemcacheBinarySession::MemcacheBinarySession(Cluster& cluster, uint64_t id)
    : Session(cluster, id), user_(cluster.config().users.anonymous()) {}

Session::Step MemcacheBinarySession::consume(std::string_view bytes, size_t& used) {
  if (body_left_ > 0) {
    used = std::min<uint64_t>(body_left_, bytes.size());
    body_left_ -= used;
    return Step::consumed;
  }
  const config::Limits& configured = cluster_.config().limits;
  const memcache::binary::Limits limits{.max_value = configured.max_value_size,
                                        .max_request = configured.max_request_size,
                                        .authenticated = user_ != nullptr,
                                        .sasl = cluster_.config().users.any_password()};
  Parsed parsed;
  const ParseStatus status = parse_binary_request(bytes, limits, parsed);
  if (status == ParseStatus::incomplete) return Step::need_more;
  tag_ = routing::CommandTag::of(memcache::command_id(parsed.opcode));
  const bool unwanted = cluster_.config().policy.read_only() && writes(parsed.opcode);
  if (status == ParseStatus::value && !unwanted) {
    return parsed.value_size > kStreamValue ? upload(parsed, bytes, used) : Step::need_more;
  }
  cluster_.counters().requests.add();
  used = std::min<uint64_t>(parsed.size, bytes.size());
  if (unwanted && (status == ParseStatus::value || status == ParseStatus::complete)) {
    answer_status(parsed, Status::not_supported);
    body_left_ = parsed.size - used;
    return Step::consumed;
  }
  if (status == ParseStatus::complete && user_ != nullptr && refused(parsed)) {
    refuse_call(parsed);
    return Step::consumed;
  }
  if (status == ParseStatus::complete) {
    handle(parsed);
    return parsed.opcode == Opcode::quit ? Step::stop : Step::consumed;
  }
  if (parsed.status == Status::too_large) cluster_.counters().hit(Limit::max_value_size);
  if (parsed.status != Status::ok) answer_status(parsed, parsed.status);
  if (status == ParseStatus::refused) {
    body_left_ = parsed.size - used;
    return Step::consumed;
  }
  close_when_answered();
  return Step::stop;
}

void MemcacheBinarySession::handle(const Parsed& parsed) {
  switch (parsed.opcode) {
    case Opcode::get:
    case Opcode::getk:
    case Opcode::gat:
    case Opcode::gatk: return retrieve(parsed);
    case Opcode::noop: return answer_frame(parsed, Status::ok, {});
    case Opcode::version: return answer_frame(parsed, Status::ok, OVERLORD_VERSION);
    case Opcode::verbosity: return answer_frame(parsed, Status::ok, {});
    case Opcode::quit:
      if (!parsed.quiet) answer_frame(parsed, Status::ok, {});
      return close_when_answered();
    case Opcode::stat: return stat(parsed);
    case Opcode::flush: return flush(parsed);
    case Opcode::sasl_list_mechs:
    case Opcode::sasl_auth:
    case Opcode::sasl_step: return login(parsed);
    default: return forward(parsed);
  }
}

Request& MemcacheBinarySession::new_frame(const Parsed& parsed, Wire wire, Answer answer) {
  Request& request = new_request(wire, answer);
  request.opcode = static_cast<uint8_t>(parsed.header.opcode);
  request.opaque = parsed.header.opaque;
  request.key = parsed.key;
  if (shows_key(parsed.opcode)) {
    request.key_map = turn_.buffers.take(1 + parsed.key.size());
    request.key_map.data[0] = static_cast<char>(parsed.key.size());
    std::memcpy(request.key_map.data + 1, parsed.key.data(), parsed.key.size());
  }
  return request;
}

void MemcacheBinarySession::retrieve(const Parsed& parsed) {
  if (parsed.encoded_key) return forward(parsed);
  Request& request = new_frame(parsed, Wire::memcache_value, Answer::reply);
  request.retrieval = "gets";
  if (parsed.opcode == Opcode::gat || parsed.opcode == Opcode::gatk) {
    std::string& retrieval = cluster_.scratch();
    retrieval.assign("gats ");
    memcache::binary::append_exptime(parsed.exptime, retrieval);
    request.retrieval = retrieval;
  }
  route(request);
}

void MemcacheBinarySession::forward(const Parsed& parsed) {
  Request& request = new_frame(parsed, Wire::memcache_meta, Answer::reply);
  std::string& wire = cluster_.scratch();
  wire.clear();
  memcache::binary::append_meta_command(parsed, wire);
  if (memcache::binary::has_value(parsed.opcode)) wire.append(parsed.value).append(memcache::kCrlf);
  request.bytes = wire;
  route(request);
}

void MemcacheBinarySession::refuse_call(const Parsed& parsed) {
  cluster_.counters().refused_calls.add();
  answer_frame(parsed, Status::auth_error, "Permission denied");
}

Session::Step MemcacheBinarySession::upload(const Parsed& parsed, std::string_view bytes, size_t& used) {
  if (refused(parsed)) {
    cluster_.counters().requests.add();
    refuse_call(parsed);
    used = bytes.size();
    body_left_ = parsed.size - used;
    return Step::consumed;
  }
  if (in_flight()) {
    wait_for_answers();
    return Step::need_more;
  }
  cluster_.counters().requests.add();
  Request& request = new_frame(parsed, Wire::memcache_meta, Answer::reply);
  std::string& wire = cluster_.scratch();
  wire.clear();
  memcache::binary::append_meta_command(parsed, wire);
  wire.append(parsed.value);
  request.bytes = wire;
  body_left_ = parsed.size - bytes.size();
  used = bytes.size();
  begin_upload(request);
  return Step::consumed;
}

Session::Step MemcacheBinarySession::consume_upload(std::string_view bytes, size_t& used) {
  used = std::min<uint64_t>(body_left_, bytes.size());
  body_left_ -= used;
  continue_upload(bytes.substr(0, used));
  if (body_left_ > 0) return Step::consumed;
  continue_upload(memcache::kCrlf);
  end_upload();
  return Step::consumed;
}

void MemcacheBinarySession::stat(const Parsed& parsed) {
  if (!is_stats_kind(parsed.key)) return answer_status(parsed, Status::not_found);
  Request& parent = new_frame(parsed, Wire::none, Answer::stats);
  std::string& wire = cluster_.scratch();
  wire.assign("stats");
  if (!parsed.key.empty()) wire.append(" ").append(parsed.key);
  wire.append(memcache::kCrlf);
  // The merge needs to know which statistics these are, after the client's bytes are gone.
  turn_.requests.set_reply(parent, parsed.key);
  parent.key = parent.reply_view();
  cluster_.root().broadcast(parent, Wire::memcache_stats, wire);
}

void MemcacheBinarySession::flush(const Parsed& parsed) {
  // What memcached answers when it was started with -F.
  if (!cluster_.config().flush_all_enabled) return answer_status(parsed, Status::auth_error);
  Request& parent = new_frame(parsed, Wire::none, Answer::all_ok);
  std::string& wire = cluster_.scratch();
  wire.assign("flush_all");
  if (parsed.exptime > 0) {
    wire.append(" ");
    memcache::binary::append_exptime(parsed.exptime, wire);
  }
  wire.append(memcache::kCrlf);
  cluster_.root().broadcast(parent, Wire::memcache_line, wire);
}

// SASL with PLAIN: the message is authzid NUL user NUL password, with the choice of PLAIN or in a step of its own.
void MemcacheBinarySession::login(const Parsed& parsed) {
  if (parsed.opcode == Opcode::sasl_list_mechs) return answer_frame(parsed, Status::ok, kMechanism);
  const bool begun = std::exchange(sasl_begun_, false);
  if (parsed.key != kMechanism || (parsed.opcode == Opcode::sasl_step && !begun)) {
    return answer_status(parsed, Status::auth_error);
  }
  if (parsed.opcode == Opcode::sasl_auth && parsed.value_size == 0) {
    sasl_begun_ = true;
    return answer_frame(parsed, Status::auth_continue, {});
  }
  const size_t user = parsed.value.find('\0');
  const size_t password = user == std::string_view::npos ? user : parsed.value.find('\0', user + 1);
  const access::User* who =
      password == std::string_view::npos
          ? nullptr
          : authenticate(parsed.value.substr(user + 1, password - user - 1), parsed.value.substr(password + 1));
  if (who == nullptr) {
    Frame frame;
    return answer_late(make_frame(parsed, Status::auth_error, status_text(Status::auth_error), frame));
  }
  user_ = who;
  answer_frame(parsed, Status::ok, "Authenticated");
}

void MemcacheBinarySession::answer_status(const Parsed& parsed, Status status) {
  answer_frame(parsed, status, status_text(status));
}

// An answer of our own: the whole frame is the reply.
void MemcacheBinarySession::answer_frame(const Parsed& parsed, Status status, std::string_view body) {
  Frame frame;
  answer(make_frame(parsed, status, body, frame));
}

std::unique_ptr<Session> make_memcache_binary_session(Cluster& cluster, uint64_t id) {
  return std::make_unique<MemcacheBinarySession>(cluster, id);
}

}  // namespace overlord::proxy
