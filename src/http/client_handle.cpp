#include "http/client_handle.h"

#include <mutex>

namespace overlord::http {
namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

void set_file(CURL* curl, CURLoption option, const std::string& path) {
  if (!path.empty()) ::curl_easy_setopt(curl, option, path.c_str());
}

}  // namespace

ClientServer::ClientServer(std::string_view text) {
  const bool tls = take_prefix(text, "https://");
  if (!tls) take_prefix(text, "http://");
  while (text.ends_with('/') && text.size() > 1) text.remove_suffix(1);
  take_prefix(text, "unix:");
  base = tls ? "https://" : "http://";
  if (text.starts_with('/')) {
    unix_path = text;
    base += "localhost";
  } else {
    if (text.starts_with(':')) base += "127.0.0.1";
    base += text;
  }
}

ClientHeaders::ClientHeaders(const ClientOptions& options, std::span<const std::string> now) {
  if (!options.content_type.empty()) {
    list_ = ::curl_slist_append(list_, ("Content-Type: " + options.content_type).c_str());
  }
  for (const auto& lines : {std::span<const std::string>(options.headers), now}) {
    for (const std::string& line : lines) list_ = ::curl_slist_append(list_, line.c_str());
  }
}

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
}

void prepare_curl(CURL* curl, const ClientServer& server, const ClientOptions& options, std::string_view target,
                  char* why) {
  ::curl_easy_reset(curl);
  ::curl_easy_setopt(curl, CURLOPT_URL, (server.base + std::string(target)).c_str());
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_PROXY, "");  // the environment's proxy does not know this host
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  set_file(curl, CURLOPT_UNIX_SOCKET_PATH, server.unix_path);
  set_file(curl, CURLOPT_CAINFO, options.tls.ca_file);
  set_file(curl, CURLOPT_SSLCERT, options.tls.certificate_file);
  set_file(curl, CURLOPT_SSLKEY, options.tls.key_file);
  if (options.cancel == nullptr) return;
  const auto cancelled = +[](void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<int>(static_cast<const std::atomic<bool>*>(flag)->load());
  };
  ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, cancelled);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFODATA, options.cancel);
}

void set_curl_request(CURL* curl, const std::string& method, std::string_view body) {
  if (method == "GET") return;
  ::curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  ::curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  ::curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.data());
}

}  // namespace overlord::http
