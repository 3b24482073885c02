#include "mesos/event_stream.h"

#include <algorithm>

namespace overlord::mesos {
namespace {

constexpr int kOk = 200;
constexpr size_t kMostRefusal = 4096;  // bytes of what a server says when it refuses
constexpr size_t kLongestHost = 255 + 8;

http::ClientOptions stream_options(http::ClientOptions options) {
  options.content_type = "application/json";
  options.headers.emplace_back("Accept: application/json");
  options.headers.emplace_back("Expect:");
  return options;
}

}  // namespace

EventStream::EventStream(http::ClientOptions options, size_t longest)
    : stream_(stream_options(std::move(options))), records_(longest) {}

void EventStream::start(std::string_view server, std::string_view target, std::string_view body) {
  records_.clear();
  refusal_.clear();
  stream_.start(server, "POST", target, body);
}

Result<EventStream::Read> EventStream::read(std::chrono::milliseconds patience) {
  auto piece = stream_.read(patience);
  if (!piece) return std::unexpected(piece.error());
  Read result{.status = piece->status, .ended = piece->ended, .heard = !piece->bytes.empty()};
  if (piece->status == kOk) {
    if (auto fed = records_.feed(piece->bytes, result.events); !fed) {
      stream_.stop();
      return std::unexpected(fed.error());
    }
    return result;
  }
  refusal_.append(piece->bytes, 0,
                  std::min(piece->bytes.size(), kMostRefusal - std::min(kMostRefusal, refusal_.size())));
  if (result.ended) result.refusal = refusal_;
  return result;
}

std::string server_of_location(std::string_view location, std::string_view from) {
  std::string scheme = from.starts_with("https://") ? "https:" : "http:";
  for (const std::string_view known : {"http:", "https:"}) {
    if (!location.starts_with(known)) continue;
    scheme = known;
    location.remove_prefix(known.size());
    break;
  }
  if (!location.starts_with("//")) return {};
  location.remove_prefix(2);
  const std::string_view host = location.substr(0, location.find_first_of("/?#"));
  const bool plain = std::ranges::all_of(host, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  });
  if (host.empty() || host.size() > kLongestHost || !plain) return {};
  return scheme + "//" + std::string(host);
}

}  // namespace overlord::mesos
