#pragma once
// Client: one HTTP request, answered before the call returns; for command-line tools. Over libcurl.

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::http {

struct Answer {
  int status = 0;
  std::string body;
  std::chrono::seconds retry_after{0};  // as the server asks for
};

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds timeout{30000};
  size_t max_body = 256 * 1024 * 1024;        // bytes; a longer answer is an error
  std::string content_type{};                 // of bodies; empty: curl's own
  const std::atomic<bool>* cancel = nullptr;  // once it is true, a request ends with an error, within about a second
};

class Client {
 public:
  // server: "HOST:PORT", "[IPV6]:PORT", ":PORT" (this host), "unix:/path" or "/path"; "http://" in front may stand. "https://"
  // with a host of which the system trusts the certificate, and a path behind it, are taken as well.
  explicit Client(std::string_view server, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // target: path and query, already encoded. An answer of any status is no error; the error says what was asked and
  // why it failed. The connection is kept for the next call.
  Result<Answer> ask(std::string_view method, std::string_view target, std::string_view body = {});
  // GET whose answer may come for ever: take(piece) is called as it comes, until it returns false or the server ends. An
  // answer of another status than 200 is returned with its body and take() is not called. No time limit but that to
  // connect.
  Result<Answer> follow(std::string_view target, const std::function<bool(std::string_view)>& take);
  const std::string& server() const { return server_; }

 private:
  void prepare(const std::string& url, char* why);

  std::string server_;
  std::string base_;  // what stands in front of the target
  std::string unix_path_;
  ClientOptions options_;
  void* curl_;
};

// For a query: everything but unreserved characters as %XX (RFC 3986).
std::string encoded(std::string_view text);

}  // namespace overlord::http
