#include "loadgen/idle.h"

#include <poll.h>

#include <cerrno>
#include <iostream>
#include <string>

namespace loadgen {
namespace {

constexpr int kReplyTimeoutMs = 10000;

/// One get on one connection; false when the reply is wrong or does not come.
bool get_once(Channel& channel, const Wire& wire, uint32_t key, std::vector<char>& buffer, Tally& tally) {
  Request request;
  request.key = key;
  const char* end = wire.write(request, buffer.data());
  const auto size = static_cast<size_t>(end - buffer.data());
  if (channel.send({buffer.data(), size}) != static_cast<ssize_t>(size)) return false;
  std::string got;
  for (;;) {
    pollfd readable{channel.fd(), POLLIN, 0};
    if (poll(&readable, 1, kReplyTimeoutMs) <= 0) return false;
    const ssize_t n = channel.receive(buffer.data(), buffer.size());
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) return false;
    got.append(buffer.data(), static_cast<size_t>(n));
    std::string_view in = got;
    const Verdict verdict = wire.check(in, request, tally);
    if (verdict == Verdict::kNeedMore) continue;
    return verdict == Verdict::kDone && in.empty();
  }
}

}  // namespace

int hold_idle(const Options& options, const Wire& wire, std::vector<Channel> channels) {
  std::vector<char> buffer(wire.max_request_size() + 65536);
  Tally tally;
  uint64_t failed = 0;
  std::cout << "open " << channels.size() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "get") {
      uint64_t done = 0;
      for (size_t i = 0; i < channels.size(); ++i) {
        const auto key = static_cast<uint32_t>(i % options.keys);
        if (get_once(channels[i], wire, key, buffer, tally))
          ++done;
        else
          ++failed;
      }
      std::cout << "got " << done << std::endl;
    } else if (line == "close") {
      channels.clear();
      std::cout << "closed" << std::endl;
    } else {
      std::cerr << "unknown command: " << line << std::endl;
      return 2;
    }
  }
  return tally.wrong > 0 || failed > 0 ? 1 : 0;
}

}  // namespace loadgen
