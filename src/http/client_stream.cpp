#include "http/client_stream.h"

#include <algorithm>
#include <map>

#include "base/ascii.h"
#include "http/client_handle.h"

namespace overlord::http {
namespace {

// Seconds of silence after which the kernel asks whether the server is still there.
constexpr long kKeepAliveSeconds = 10;

size_t append(char* bytes, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * count);
  return size * count;
}

// More than any server of ours sends; what is beyond is passed over.
constexpr size_t kMostHeaders = 128;

using Headers = std::map<std::string, std::string, std::less<>>;

// curl gives whole lines, those of the status too: each begins the headers anew.
size_t note_header(char* bytes, size_t size, size_t count, void* into) {
  auto& headers = *static_cast<Headers*>(into);
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) headers.clear();
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || headers.size() >= kMostHeaders) return line.size();
  const size_t first = line.find_first_not_of(" \t", colon + 1);
  const size_t last = line.find_last_not_of(" \t\r\n");
  headers[lower_case(std::string(line.substr(0, colon)))] =
      first == std::string_view::npos || first > last ? "" : line.substr(first, last + 1 - first);
  return line.size();
}

}  // namespace

struct ClientStream::Parts {
  Parts() : multi(::curl_multi_init()) {}
  ~Parts() {
    stop();
    ::curl_multi_cleanup(multi);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void stop() {
    if (curl == nullptr) return;
    ::curl_multi_remove_handle(multi, curl);
    ::curl_easy_cleanup(curl);
    curl = nullptr;
    received.clear();
  }

  CURLM* const multi;
  CURL* curl = nullptr;
  std::unique_ptr<ClientHeaders> headers;
  std::string received;
  Headers answer_headers;
  char why[CURL_ERROR_SIZE] = "";
};

ClientStream::ClientStream(ClientOptions options)
    : options_(std::move(options)), parts_((start_curl(), std::make_unique<Parts>())) {}

ClientStream::~ClientStream() = default;

void ClientStream::stop() { parts_->stop(); }

void ClientStream::start(std::string_view server, std::string_view method, std::string_view target,
                         std::string_view body, std::span<const std::string> headers) {
  parts_->stop();
  parts_->answer_headers.clear();
  what_ = std::string(method) + " " + std::string(server) + std::string(target) + ": ";
  CURL* const curl = parts_->curl = ::curl_easy_init();
  parts_->headers = std::make_unique<ClientHeaders>(options_, headers);
  *parts_->why = '\0';
  prepare_curl(curl, ClientServer(server), options_, target, parts_->why);
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, parts_->headers->get());
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &parts_->received);
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, note_header);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, &parts_->answer_headers);
  ::curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  ::curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  ::curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  ::curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  ::curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  set_curl_request(curl, std::string(method), body);
  ::curl_multi_add_handle(parts_->multi, curl);
}

Result<ClientStream::Piece> ClientStream::read(std::chrono::milliseconds patience) {
  if (parts_->curl == nullptr) return fail(what_ + "nothing is asked");
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    int running = 0;
    ::curl_multi_perform(parts_->multi, &running);
    long status = 0;
    ::curl_easy_getinfo(parts_->curl, CURLINFO_RESPONSE_CODE, &status);
    Piece piece{std::exchange(parts_->received, {}), false, static_cast<int>(status)};
    if (running == 0 && piece.bytes.empty()) {
      int left = 0;
      const CURLMsg* const message = ::curl_multi_info_read(parts_->multi, &left);
      const CURLcode code = message == nullptr ? CURLE_OK : message->data.result;
      std::string reason = *parts_->why != '\0' ? parts_->why : ::curl_easy_strerror(code);
      parts_->stop();
      if (code != CURLE_OK) return fail(what_ + reason);
      piece.ended = true;
      return piece;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (!piece.bytes.empty() || left.count() <= 0 || woken_.exchange(false)) return piece;
    constexpr int64_t kLongestWait = 60'000;
    ::curl_multi_poll(parts_->multi, nullptr, 0, static_cast<int>(std::min<int64_t>(left.count(), kLongestWait)),
                      nullptr);
  }
}

std::string ClientStream::header(std::string_view lower_case_name) const {
  const auto found = parts_->answer_headers.find(lower_case_name);
  return found == parts_->answer_headers.end() ? std::string() : found->second;
}

void ClientStream::wake() {
  woken_ = true;
  ::curl_multi_wakeup(parts_->multi);
}

}  // namespace overlord::http
