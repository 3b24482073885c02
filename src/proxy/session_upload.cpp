// A session that passes a large request on while it arrives.

#include <utility>

#include "proxy/session.h"

namespace overlord::proxy {

using routing::Request;

namespace {

// At most this much waits for the backend.
constexpr size_t kUploadAhead = 256 * 1024;

}  // namespace

void Session::begin_upload(Request& request) {
  request.uploading = true;
  uploading_ = true;
  Rare& mine = rare();
  if (!mine.timeouts.armed()) turn_.loop.timers().arm(mine.timeouts, turn_.now(), kUploadTick);
  mine.upload_request = &request;
  mine.upload_bytes = request.bytes.size();
  route(request);
  if (!request.finished) mine.upload_connection = static_cast<BackendConnection*>(request.source);
}

void Session::continue_upload(std::string_view bytes) {
  rare_->upload_bytes += bytes.size();
  BackendConnection*& connection = rare_->upload_connection;  // cleared when the request is answered meanwhile
  if (connection == nullptr) return;
  connection->backend().counters().bytes_out.add(bytes.size());
  connection->upload(bytes);
  if (connection != nullptr && connection->unsent() > kUploadAhead) {
    upload_blocked_ = true;
    connection->notify_drained(this);
  }
}

void Session::end_upload() {
  uploading_ = false;
  upload_blocked_ = false;
  if (const Request* request = rare_->upload_request) {
    cluster_.keys().on_upload(*request, rare_->upload_bytes, turn_.now());
  }
  if (rare_->upload_connection != nullptr) rare_->upload_connection->upload_done(*rare_->upload_request);
  rare_->upload_connection = nullptr;
  waiting_for_answers_ = true;  // what follows goes another way and must not overtake it
}

void Session::abort_upload() {
  uploading_ = false;
  upload_blocked_ = false;
  if (rare_ == nullptr) return;
  if (BackendConnection* connection = std::exchange(rare_->upload_connection, nullptr)) connection->upload_aborted();
}

void Session::on_upload_drained() noexcept {
  upload_blocked_ = false;
  turn_.sessions.add(*this);
}

}  // namespace overlord::proxy
