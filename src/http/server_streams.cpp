#include "http/server_streams.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

namespace overlord::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr timeval kPeriod{0, 50'000};
// After so long without anything to send an empty line goes out.
constexpr std::chrono::seconds kSilence{15};
// What a client sends while it is answered is not read: only its end matters.
constexpr size_t kMostUnread = 4096;

}  // namespace

ServerStreams::ServerStreams(event_base& base)
    : timer_(::event_new(
                 &base, -1, EV_PERSIST,
                 [](evutil_socket_t, short, void* self) { static_cast<ServerStreams*>(self)->tick(); }, this),
             ::event_free) {}

ServerStreams::~ServerStreams() {
  for (const One& one : open_) ::evhttp_send_reply_end(one.message);
}

void ServerStreams::start(evhttp_request& message, int status, std::shared_ptr<Stream> stream,
                          std::chrono::seconds patience) {
  ::evhttp_add_header(::evhttp_request_get_output_headers(&message), "Connection", "close");
  ::evhttp_send_reply_start(&message, status, nullptr);
  if (evhttp_connection* connection = ::evhttp_request_get_connection(&message)) {
    bufferevent* socket = ::evhttp_connection_get_bufferevent(connection);
    const timeval limit{patience.count(), 0};
    ::bufferevent_set_timeouts(socket, nullptr, &limit);
    ::bufferevent_setwatermark(socket, EV_READ, 0, kMostUnread);
  }
  open_.push_back({&message, std::move(stream), Clock::now()});
  ::event_add(timer_.get(), &kPeriod);
}

void ServerStreams::tick() {
  std::erase_if(open_, [](One& one) { return !feed(one); });
  if (open_.empty()) ::event_del(timer_.get());
}

bool ServerStreams::feed(One& one) {
  evhttp_connection* connection = ::evhttp_request_get_connection(one.message);
  if (connection == nullptr) {  // the client is gone; this frees the request
    ::evhttp_send_reply_end(one.message);
    return false;
  }
  if (::evbuffer_get_length(::bufferevent_get_output(::evhttp_connection_get_bufferevent(connection))) >
      Stream::kMostUnsent) {
    return true;
  }
  std::string piece;
  const bool more = one.stream->read(piece);
  const auto now = Clock::now();
  if (piece.empty() && now - one.last_sent >= kSilence) piece = "\n";
  if (!piece.empty()) {
    one.last_sent = now;
    const std::unique_ptr<evbuffer, decltype(&::evbuffer_free)> bytes(::evbuffer_new(), ::evbuffer_free);
    ::evbuffer_add(bytes.get(), piece.data(), piece.size());
    ::evhttp_send_reply_chunk(one.message, bytes.get());
  }
  if (!more) ::evhttp_send_reply_end(one.message);
  return more;
}

}  // namespace overlord::http
