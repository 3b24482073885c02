#include "http/client.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>

namespace overlord::http {
namespace {

constexpr long kOk = 200;

struct Body {
  std::string text;
  size_t limit;
};

size_t take(char* bytes, size_t size, size_t count, void* into) {
  auto& body = *static_cast<Body*>(into);
  if (body.text.size() + size * count > body.limit) return 0;  // makes curl fail with CURLE_WRITE_ERROR
  body.text.append(bytes, size * count);
  return size * count;
}

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

Client::Client(std::string_view server, ClientOptions options) : server_(server), options_(std::move(options)) {
  start_library();
  curl_ = ::curl_easy_init();
  const std::string_view scheme = server.starts_with("https://") ? "https://" : "http://";
  if (server.starts_with(scheme)) server.remove_prefix(scheme.size());
  while (server.ends_with('/') && server.size() > 1) server.remove_suffix(1);
  if (server.starts_with("unix:")) server.remove_prefix(5);
  if (server.starts_with('/')) {
    unix_path_ = server;
    base_ = "http://localhost";
  } else {
    base_ = std::string(scheme) + (server.starts_with(':') ? "127.0.0.1" : "") + std::string(server);
  }
}

Client::~Client() { ::curl_easy_cleanup(curl_); }

void Client::prepare(const std::string& url, char* why) {
  ::curl_easy_reset(curl_);
  ::curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl_, CURLOPT_PROXY, "");  // the environment's proxy does not know this host
  ::curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  ::curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, why);
  if (!unix_path_.empty()) ::curl_easy_setopt(curl_, CURLOPT_UNIX_SOCKET_PATH, unix_path_.c_str());
  if (options_.cancel == nullptr) return;
  const auto cancelled = +[](void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<int>(static_cast<const std::atomic<bool>*>(flag)->load());
  };
  ::curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, cancelled);
  ::curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, options_.cancel);
}

Result<Answer> Client::follow(std::string_view target, const std::function<bool(std::string_view)>& take_piece) {
  struct Followed {
    CURL* curl;
    const std::function<bool(std::string_view)>& take;
    Body refused;
    bool enough = false;

    size_t on_bytes(char* bytes, size_t size) {
      long status = 0;
      ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      if (status != kOk) return http::take(bytes, 1, size, &refused);
      enough = !take({bytes, size});
      return enough ? 0 : size;
    }
  };
  Followed followed{curl_, take_piece, {{}, options_.max_body}};
  char why[CURL_ERROR_SIZE] = "";
  prepare(base_ + std::string(target), why);
  const auto on_bytes = +[](char* bytes, size_t size, size_t count, void* into) {
    return static_cast<Followed*>(into)->on_bytes(bytes, size * count);
  };
  ::curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, on_bytes);
  ::curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &followed);
  const CURLcode code = ::curl_easy_perform(curl_);
  if (code != CURLE_OK && !followed.enough) {
    return fail("GET " + server_ + std::string(target) + ": " + (*why != '\0' ? why : ::curl_easy_strerror(code)));
  }
  long status = 0;
  ::curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  return Answer{static_cast<int>(status), std::move(followed.refused.text), {}};
}

Result<Answer> Client::ask(std::string_view method, std::string_view target, std::string_view body) {
  const std::string url = base_ + std::string(target);
  const std::string verb(method);
  Body received{{}, options_.max_body};
  char why[CURL_ERROR_SIZE] = "";
  prepare(url, why);
  ::curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  ::curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, take);
  ::curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &received);
  const std::string type = "Content-Type: " + options_.content_type;
  const std::unique_ptr<curl_slist, decltype(&::curl_slist_free_all)> headers(
      options_.content_type.empty() ? nullptr : ::curl_slist_append(nullptr, type.c_str()), ::curl_slist_free_all);
  if (headers != nullptr) ::curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.get());
  if (verb != "GET") {
    ::curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, verb.c_str());
    ::curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    ::curl_easy_setopt(curl_, CURLOPT_COPYPOSTFIELDS, body.data());
  }
  if (const CURLcode code = ::curl_easy_perform(curl_); code != CURLE_OK) {
    return fail(verb + " " + server_ + std::string(target) + ": " + (*why != '\0' ? why : ::curl_easy_strerror(code)));
  }
  long status = 0;
  ::curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  curl_off_t retry_after = 0;
  ::curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &retry_after);
  return Answer{static_cast<int>(status), std::move(received.text), std::chrono::seconds(retry_after)};
}

std::string encoded(std::string_view text) {
  if (text.empty()) return {};  // for curl a length of 0 means: up to a NUL
  const std::unique_ptr<char, decltype(&::curl_free)> escaped(
      ::curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), ::curl_free);
  return escaped == nullptr ? std::string() : std::string(escaped.get());
}

}  // namespace overlord::http
