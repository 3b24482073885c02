#include "http/client.h"

#include <memory>

#include "http/client_handle.h"
#include "http/client_stream.h"

namespace overlord::http {
namespace {

constexpr long kOk = 200;

struct Body {
  std::string text;
  size_t limit;
  bool too_long = false;
};

size_t take(char* bytes, size_t size, size_t count, void* into) {
  auto& body = *static_cast<Body*>(into);
  body.too_long = body.text.size() + size * count > body.limit;
  if (body.too_long) return 0;  // makes curl fail with CURLE_WRITE_ERROR
  body.text.append(bytes, size * count);
  return size * count;
}

// Called when a connection stands, before the request goes out. curl sends it a second time by itself when a kept
// connection breaks without an answer; for what is not to be done twice that is not allowed.
struct Sending {
  bool once;
  int times = 0;
  bool stopped = false;
};

int on_sending(void* context, char*, char*, int, int) {
  auto& sending = *static_cast<Sending*>(context);
  sending.stopped = sending.once && sending.times > 0;
  if (sending.stopped) return CURL_PREREQFUNC_ABORT;
  ++sending.times;
  return CURL_PREREQFUNC_OK;
}

}  // namespace

struct Client::Parts {
  ClientServer server;
  CURL* curl;
};

Client::Client(std::string_view server, ClientOptions options) : server_(server), options_(std::move(options)) {
  start_curl();
  parts_ = new Parts{ClientServer(server), ::curl_easy_init()};
}

Client::~Client() {
  ::curl_easy_cleanup(parts_->curl);
  delete parts_;
}

Result<Answer> Client::follow(std::string_view target, const std::function<bool(std::string_view)>& take_piece) {
  ClientStream stream(options_);
  stream.start(server_, "GET", target);
  Answer answer;
  for (;;) {
    // Now and then curl asks whether the request is cancelled.
    const auto piece = stream.read(std::chrono::seconds(1));
    if (!piece) return std::unexpected(piece.error());
    answer.status = piece->status;
    if (answer.status != kOk) {
      answer.body += piece->bytes;
      if (answer.body.size() > options_.max_body) return fail("GET " + server_ + std::string(target) + ": too long");
    } else if (!piece->bytes.empty() && !take_piece(piece->bytes)) {
      return answer;
    }
    if (piece->ended) return answer;
  }
}

Result<Answer> Client::ask(std::string_view method, std::string_view target, std::string_view body,
                           std::span<const std::string> headers) {
  CURL* const curl = parts_->curl;
  const std::string verb(method);
  const ClientHeaders lines(options_, headers);
  Body received{{}, options_.max_body};
  Sending sending{verb != "GET"};
  char why[CURL_ERROR_SIZE] = "";
  prepare_curl(curl, parts_->server, options_, target, why);
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
  ::curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_sending);
  ::curl_easy_setopt(curl, CURLOPT_PREREQDATA, &sending);
  set_curl_request(curl, verb, body);
  if (const CURLcode code = ::curl_easy_perform(curl); code != CURLE_OK) {
    fate_ = received.too_long ? Fate::too_long : sending.times == 0 ? Fate::not_sent : Fate::lost;
    const char* reason = *why != '\0' ? why : ::curl_easy_strerror(code);
    if (sending.stopped) reason = "the connection broke before the answer";
    return fail(verb + " " + server_ + std::string(target) + ": " + reason);
  }
  fate_ = Fate::answered;
  long status = 0;
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_off_t retry_after = 0;
  ::curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
  curl_header* etag = nullptr;
  const bool tagged = ::curl_easy_header(curl, "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK;
  return Answer{static_cast<int>(status), std::move(received.text), std::chrono::seconds(retry_after),
                tagged ? etag->value : std::string()};
}

std::string encoded(std::string_view text) {
  if (text.empty()) return {};  // for curl a length of 0 means: up to a NUL
  const std::unique_ptr<char, decltype(&::curl_free)> escaped(
      ::curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), ::curl_free);
  return escaped == nullptr ? std::string() : std::string(escaped.get());
}

}  // namespace overlord::http
