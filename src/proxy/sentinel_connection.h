#pragma once
// SentinelConnection: one connection to a Sentinel, with TLS or without, for the watching thread. Every step waits for
// a second at most.

#include <hiredis.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"
#include "net/tls_socket.h"

namespace overlord::proxy {

class SentinelConnection {
 public:
  struct Freer {
    void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, Freer>;

  // Connects, and logs in where there is a password. The error says what went wrong.
  static Result<std::unique_ptr<SentinelConnection>> open(const config::ClusterConfig& cluster,
                                                          const config::Address& sentinel);

  // Null when no answer came.
  Reply ask(std::initializer_list<std::string_view> words);
  int fd() const { return context_->fd; }
  // The socket is readable: takes what is there. False when the connection has ended.
  bool receive();
  // The next message of what was received; null when there is none, and `good` is false when it is not redis.
  Reply next(bool& good);

  static std::string_view text(const redisReply* reply) {
    return reply != nullptr && reply->str != nullptr ? std::string_view(reply->str, reply->len) : std::string_view();
  }

 private:
  struct Closer {
    void operator()(redisContext* context) const { ::redisFree(context); }
  };

  Result<void> begin_tls(const config::ClusterConfig& cluster, const config::Address& sentinel);
  net::TlsSocket::Got take();

  std::unique_ptr<redisContext, Closer> context_;  // with TLS only its socket and its parser are used
  std::unique_ptr<net::TlsSocket> tls_;            // null: none
};

}  // namespace overlord::proxy
