#include "loadgen/idle.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <string>

namespace loadgen {
namespace {

constexpr int kReplyTimeoutMs = 10000;

/// One get on one connection; false when the reply is wrong or does not come.
bool get_once(int fd, const Wire& wire, uint32_t key, std::vector<char>& buffer, Tally& tally) {
  Request request;
  request.key = key;
  const char* end = wire.write(request, buffer.data());
  const auto size = static_cast<size_t>(end - buffer.data());
  if (send(fd, buffer.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) return false;
  std::string got;
  for (;;) {
    pollfd readable{fd, POLLIN, 0};
    if (poll(&readable, 1, kReplyTimeoutMs) <= 0) return false;
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) return false;
    got.append(buffer.data(), static_cast<size_t>(n));
    std::string_view in = got;
    const Verdict verdict = wire.check(in, request, tally);
    if (verdict == Verdict::kNeedMore) continue;
    return verdict == Verdict::kDone && in.empty();
  }
}

}  // namespace

int hold_idle(const Options& options, const Wire& wire, std::vector<int> sockets) {
  std::vector<char> buffer(wire.max_request_size() + 65536);
  Tally tally;
  uint64_t failed = 0;
  std::cout << "open " << sockets.size() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "get") {
      uint64_t done = 0;
      for (size_t i = 0; i < sockets.size(); ++i) {
        const auto key = static_cast<uint32_t>(i % options.keys);
        if (get_once(sockets[i], wire, key, buffer, tally))
          ++done;
        else
          ++failed;
      }
      std::cout << "got " << done << std::endl;
    } else if (line == "close") {
      for (const int fd : sockets) close(fd);
      sockets.clear();
      std::cout << "closed" << std::endl;
    } else {
      std::cerr << "unknown command: " << line << std::endl;
      return 2;
    }
  }
  for (const int fd : sockets) close(fd);
  return tally.wrong > 0 || failed > 0 ? 1 : 0;
}

}  // namespace loadgen
