#pragma once
// Client: one HTTP request, answered before the call returns; for command-line tools and the platform. Over libcurl.
// One thread at a time; see ClientStream for answers that are read as they come.

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace overlord::http {

struct Answer {
  int status = 0;
  std::string body;
  std::chrono::seconds retry_after{0};  // as the server asks for
  std::string etag{};                   // of ask() alone; empty: none
};

// For servers that begin with "https://". Files in PEM; the server's certificate is always checked.
struct ClientTls {
  std::string ca_file{};  // empty: those of the system
  std::string certificate_file{};
  std::string key_file{};
};

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds timeout{30000};
  size_t max_body = 256 * 1024 * 1024;        // bytes; a longer answer is an error
  std::string content_type{};                 // of bodies; empty: curl's own
  const std::atomic<bool>* cancel = nullptr;  // once it is true, a request ends with an error, within about a second
  std::vector<std::string> headers{};         // "Name: value", with every request
  ClientTls tls{};
};

// What became of a request that has no answer. A request other than GET is sent once at most.
enum class Fate {
  answered,
  not_sent,  // the server has not seen it
  lost,      // it may have been carried out
  too_long,  // the answer is longer than max_body
};

class Client {
 public:
  // server: "HOST:PORT", "[IPV6]:PORT", ":PORT" (this host), "unix:/path" or "/path"; "http://" or "https://" in front
  // may stand, and with a host a path behind it.
  explicit Client(std::string_view server, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // target: path and query, already encoded. An answer of any status is no error; the error says what was asked and
  // why it failed. The connection is kept for the next call.
  Result<Answer> ask(std::string_view method, std::string_view target, std::string_view body = {},
                     std::span<const std::string> headers = {});
  // GET whose answer may come for ever: take(piece) is called as it comes, until it returns false or the server ends. An
  // answer of another status than 200 is returned with its body and take() is not called. No time limit but that to
  // connect.
  Result<Answer> follow(std::string_view target, const std::function<bool(std::string_view)>& take);
  const std::string& server() const { return server_; }
  Fate fate() const { return fate_; }  // of the last ask()

 private:
  struct Parts;

  std::string server_;
  ClientOptions options_;
  Parts* parts_;
  Fate fate_ = Fate::answered;
};

// For a query: everything but unreserved characters as %XX (RFC 3986).
std::string encoded(std::string_view text);

}  // namespace overlord::http
