// TLS on both drivers: a layered stream keeps the promises of loop.h, and a peer that misuses the protocol is closed.
// What real clients and servers do with it is in tests/system/test_tls.py.

#include "net/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <thread>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using Tls = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Tls, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// A certificate that signs itself.
const TlsMaterial& material() {
  static const TlsMaterial made = [] {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    TlsMaterial out;
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    out.cert = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    out.key = text_of(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return out;
  }();
  return made;
}

TlsContextPtr context(bool server) {
  TlsSettings settings;
  settings.server = server;
  settings.verify_server = false;
  auto made = make_tls_context(settings, server ? material() : TlsMaterial{});
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

// Both ends on the loop.
struct Pair {
  explicit Pair(Loop& loop) : server(loop), client(loop) {
    const TlsContextPtr ours = context(true);
    auto accepted = [this, &loop, ours](UniqueFd fd) {
      tls_accept(loop, server.stream, std::move(fd), server, ours, counters, 0);
    };
    acceptor = std::make_unique<Acceptor>(accepted);
    UniqueFd listener = tcp_listener();
    const SocketAddress address = local_address(listener.get());
    listening = loop.listen(std::move(listener), *acceptor, false);
    tls_connect(loop, client.stream, address, client, context(false), counters, "localhost");
  }
  TlsCounters counters;
  Peer server;
  Peer client;
  std::unique_ptr<Acceptor> acceptor;
  ListenerId listening;
};

TEST_P(Tls, BytesFlushedBeforeTheHandshakeArriveAfterIt) {
  Pair pair(*loop);
  send(pair.client.stream, "early");
  ASSERT_TRUE(run_until([&] { return pair.server.received == "early"; }));
  EXPECT_TRUE(pair.client.connected);
  EXPECT_EQ(pair.counters.handshakes.get(), 2u);
  EXPECT_EQ(pair.client.stream.unsent(), 0u);
  loop->unlisten(pair.listening);
}

TEST_P(Tls, APausedStreamHearsNothingAndLosesNothing) {
  Pair pair(*loop);
  std::string sent;
  for (int i = 0; i < 3'000'000; ++i) sent += static_cast<char>(i * 7 % 251);
  bool turn = false;
  pair.server.when_data = [&](std::span<char>) {
    EXPECT_FALSE(turn) << "heard while paused";
    turn = true;
    loop->pause_receive(pair.server.stream);
  };
  each_turn = [&] {
    if (turn) {
      turn = false;
      loop->resume_receive(pair.server.stream);
    }
    loop->post([] {});
  };
  send(pair.client.stream, sent);
  ASSERT_TRUE(run_until([&] { return pair.server.received.size() == sent.size(); }));
  EXPECT_TRUE(pair.server.received == sent);
  loop->close_after_flush(pair.client.stream, 1'000'000'000);
  ASSERT_TRUE(run_until([&] { return pair.server.ended; }));
  loop->unlisten(pair.listening);
}

TEST_P(Tls, DrainedComesWhenAskedForBeforeOrAfterTheFlush) {
  Pair pair(*loop);
  pair.client.stream.notify_drained = true;
  send(pair.client.stream, std::string(4 << 20, 'd'));
  EXPECT_EQ(pair.client.drained, 0);
  ASSERT_TRUE(run_until([&] { return pair.client.drained == 1; }));
  EXPECT_EQ(pair.client.stream.unsent(), 0u);
  loop->pause_receive(pair.server.stream);
  send(pair.client.stream, std::string(16 << 20, 'd'));
  EXPECT_GT(pair.client.stream.unsent(), 0u);
  pair.client.stream.notify_drained = true;
  loop->resume_receive(pair.server.stream);
  ASSERT_TRUE(run_until([&] { return pair.client.drained == 2; }));
  loop->unlisten(pair.listening);
}

// Each of its requests makes us write an answer; none is read.
TEST_P(Tls, APeerThatAsksForKeyUpdatesAndReadsNothingIsClosed) {
  auto [peer, ours] = tcp_pair();
  TlsCounters counters;
  Peer server(*loop);
  int small = 4096;
  ASSERT_EQ(setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  ASSERT_EQ(setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  tls_accept(*loop, server.stream, std::move(ours), server, context(true), counters, 0);
  std::thread attacker([fd = peer.get()] {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);  // writing on when we have closed is its purpose
    ASSERT_EQ(fcntl(fd, F_SETFL, 0), 0);
    SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    ASSERT_EQ(SSL_connect(ssl), 1);
    for (int i = 0; i < 1'000'000; ++i) {
      if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) break;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
  });
  const bool closed = run_until([&] { return server.error != 0; });
  ::shutdown(peer.get(), SHUT_RDWR);
  attacker.join();
  ASSERT_TRUE(closed);
  EXPECT_EQ(server.error, EPROTO);
  EXPECT_EQ(counters.failures.get(), 1u);
}

}  // namespace
}  // namespace overlord::net
