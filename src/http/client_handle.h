#pragma once
// What Client and ClientStream have in common: where a server is, and a libcurl handle prepared to ask it. Internal to
// this folder.

#include <curl/curl.h>

#include <span>
#include <string>
#include <string_view>

#include "http/client.h"

namespace overlord::http {

struct ClientServer {
  explicit ClientServer(std::string_view text);
  std::string base;  // what stands in front of the target
  std::string unix_path;
};

// A list of "Name: value" as libcurl takes it.
class ClientHeaders {
 public:
  ClientHeaders(const ClientOptions& options, std::span<const std::string> now);
  ~ClientHeaders() { ::curl_slist_free_all(list_); }
  ClientHeaders(const ClientHeaders&) = delete;
  ClientHeaders& operator=(const ClientHeaders&) = delete;
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

void start_curl();
// Resets the handle and sets all that does not depend on the request. why: CURL_ERROR_SIZE bytes. The options must
// outlive the request.
void prepare_curl(CURL* curl, const ClientServer& server, const ClientOptions& options, std::string_view target,
                  char* why);
// The method and, for all but GET, the body, which is copied.
void set_curl_request(CURL* curl, const std::string& method, std::string_view body);

}  // namespace overlord::http
