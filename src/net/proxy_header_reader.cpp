#include "net/proxy_header_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace overlord::net {

void ProxyHeaderReader::adopt(Stream& stream, UniqueFd fd, StreamHandler& handler) {
  stream_ = &stream;
  handler_ = &handler;
  loop_.adopt(stream, std::move(fd), *this);
  deadline_.set([](void* self) { static_cast<ProxyHeaderReader*>(self)->refuse("it did not come in time"); }, this);
  loop_.timers().arm(deadline_, loop_.now(), limit_);
}

void ProxyHeaderReader::on_data(std::span<char> bytes) {
  const size_t before = kept_.size();
  std::string_view all(bytes.data(), bytes.size());
  if (before > 0) all = kept_.append(all.substr(0, std::min(all.size(), kMostProxyBlock - before)));
  const ParsedProxyHeader parsed = parse_proxy_header(all);
  switch (parsed.state) {
    case ParsedProxyHeader::State::bad: return refuse(parsed.problem);
    case ParsedProxyHeader::State::need_more:
      if (before == 0) kept_ = all;
      return;
    case ParsedProxyHeader::State::whole: break;
  }
  header_ = parsed.header;
  hand_over();
  if (const size_t own = parsed.used - before; own < bytes.size()) handler_->on_data(bytes.subspan(own));
}

void ProxyHeaderReader::on_end() {
  if (!kept_.empty()) return refuse("the peer left in the middle of it");
  hand_over();
  handler_->on_end();
}

void ProxyHeaderReader::on_error(int error) {
  deadline_.cancel();
  handler_->on_error(error);
}

void ProxyHeaderReader::hand_over() {
  deadline_.cancel();
  kept_ = std::string();
  finished_ = true;
  loop_.redirect(*stream_, *handler_);
}

void ProxyHeaderReader::refuse(std::string_view problem) {
  deadline_.cancel();
  const std::string peer = peer_text(loop_.fd(*stream_));
  problem_ = peer.empty() ? problem : peer + ": " + std::string(problem);
  loop_.close(*stream_);
  handler_->on_error(EBADMSG);
}

}  // namespace overlord::net
