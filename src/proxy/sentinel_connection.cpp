#include "proxy/sentinel_connection.h"

#include <array>
#include <utility>
#include <vector>

namespace overlord::proxy {
namespace {

using Got = net::TlsSocket::Got;

constexpr timeval kPatience{1, 0};

}  // namespace

Result<std::unique_ptr<SentinelConnection>> SentinelConnection::open(const config::ClusterConfig& cluster,
                                                                     const config::Address& sentinel) {
  auto made = std::make_unique<SentinelConnection>();
  made->context_.reset(sentinel.kind == config::Address::Kind::unix_socket
                           ? ::redisConnectUnixWithTimeout(sentinel.path.c_str(), kPatience)
                           : ::redisConnectWithTimeout(sentinel.host.c_str(), sentinel.port, kPatience));
  redisContext* const context = made->context_.get();
  if (context == nullptr) return fail("no memory");
  if (context->err != 0 || ::redisSetTimeout(context, kPatience) != REDIS_OK) return fail(context->errstr);
  if (cluster.sentinel_tls) {
    if (auto begun = made->begin_tls(cluster, sentinel); !begun) return fail(begun.error().message);
  }
  if (cluster.sentinel_auth.empty()) return made;
  const Reply answer = made->ask({"AUTH", cluster.sentinel_auth});
  if (answer != nullptr && answer->type == REDIS_REPLY_STATUS) return made;
  if (answer == nullptr) return fail("no answer");
  return fail("refused AUTH: " + std::string(text(answer.get())) + "; check sentinel_auth");
}

// The files are read anew for each connection: there are few, and so they may change.
Result<void> SentinelConnection::begin_tls(const config::ClusterConfig& cluster, const config::Address& sentinel) {
  const auto material = net::read_tls_files(cluster.backend_tls);
  if (!material) return fail(material.error().message);
  auto tls = net::make_tls_context(cluster.backend_tls, *material);
  if (!tls) return fail(tls.error().message);
  const std::string& named = cluster.backend_tls_server_name;
  auto socket = net::TlsSocket::connect(fd(), std::move(*tls), named.empty() ? sentinel.host : named);
  if (!socket) return fail(socket.error().message);
  tls_ = std::move(*socket);
  return {};
}

SentinelConnection::Reply SentinelConnection::ask(std::initializer_list<std::string_view> words) {
  std::vector<const char*> data;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    data.push_back(word.data());
    sizes.push_back(word.size());
  }
  const int count = static_cast<int>(data.size());
  if (tls_ == nullptr) {
    return Reply(static_cast<redisReply*>(::redisCommandArgv(context_.get(), count, data.data(), sizes.data())));
  }
  char* request = nullptr;
  const int size = ::redisFormatCommandArgv(&request, count, data.data(), sizes.data());
  if (size < 0) return nullptr;
  const bool sent = tls_->write({request, static_cast<size_t>(size)});
  ::redisFreeCommand(request);
  bool good = sent;
  while (good) {
    if (Reply answer = next(good)) return answer;
    good = good && take() == Got::bytes;
  }
  return nullptr;
}

Got SentinelConnection::take() {
  std::array<char, 4096> room;
  size_t size = 0;
  const Got got = tls_->read(room, size);
  if (got == Got::bytes && ::redisReaderFeed(context_->reader, room.data(), size) != REDIS_OK) return Got::end;
  return got;
}

bool SentinelConnection::receive() {
  if (tls_ == nullptr) return ::redisBufferRead(context_.get()) == REDIS_OK;
  do {
    if (take() == Got::end) return false;
  } while (tls_->pending());
  return true;
}

SentinelConnection::Reply SentinelConnection::next(bool& good) {
  void* raw = nullptr;
  good = ::redisReaderGetReply(context_->reader, &raw) == REDIS_OK;
  return Reply(static_cast<redisReply*>(raw));
}

}  // namespace overlord::proxy
