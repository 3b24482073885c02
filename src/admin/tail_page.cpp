#include "admin/tail_page.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "admin/parameters.h"
#include "base/ascii.h"
#include "slowlog/store.h"

namespace overlord::admin {
namespace {

constexpr size_t kMostNumber = 1'000'000'000;
constexpr size_t kMostPattern = 256;  // bytes
// Lines of each worker that are made at a time: other pages wait meanwhile.
constexpr size_t kMostAtOnce = 500;

class TailStream final : public http::Stream {
 public:
  TailStream(proxy::Proxy& proxy, std::shared_ptr<proxy::Tail> tail, size_t limit)
      : proxy_(proxy), tail_(std::move(tail)), left_(limit) {}
  ~TailStream() override { proxy_.end_tail(tail_); }
  TailStream(const TailStream&) = delete;
  TailStream& operator=(const TailStream&) = delete;

  bool read(std::string& out) override {
    const auto add = [&](const slowlog::Entry& entry) {
      if (left_ == 0) return;
      --left_;
      out.append(slowlog::json_line(entry)).append("\n");
    };
    tail_->drain(add, kMostAtOnce);
    if (const uint64_t dropped = tail_->dropped(); dropped > dropped_) {
      out.append("{\"dropped\":").append(std::to_string(dropped - std::exchange(dropped_, dropped))).append("}\n");
    }
    return left_ > 0;
  }

 private:
  proxy::Proxy& proxy_;
  const std::shared_ptr<proxy::Tail> tail_;
  size_t left_;           // lines
  uint64_t dropped_ = 0;  // that the reader was told of
};

// Without a wildcard it is the beginning.
std::string beginning(std::string_view pattern) {
  const bool plain = !pattern.empty() && pattern.find_first_of("*?[\\") == std::string_view::npos;
  return std::string(pattern) + (plain ? "*" : "");
}

}  // namespace

http::Response tail_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience) {
  constexpr std::string_view kKnown[] = {"cluster", "cmd",         "key",    "client", "backend",
                                         "errors",  "slower_than", "sample", "limit"};
  for (const auto& [name, value] : request.query) {
    // A misspelt filter would show everything.
    if (std::ranges::find(kKnown, name) == std::end(kKnown)) {
      return http::Response::error(400, "there is no parameter '" + name +
                                            "'; there are cluster, cmd, key, client, backend, errors, slower_than, "
                                            "sample and limit");
    }
    if (value.size() > kMostPattern) return http::Response::error(400, name + " is too long");
  }
  const auto slower = number_parameter(request, "slower_than", 0, kMostNumber);
  if (!slower) return slower.error();
  const auto sample = number_parameter(request, "sample", 1, kMostNumber);
  if (!sample) return sample.error();
  const auto limit = number_parameter(request, "limit", SIZE_MAX, kMostNumber);
  if (!limit) return limit.error();
  const std::string_view errors = request.parameter("errors");
  if (!errors.empty() && errors != "0" && errors != "1") return http::Response::error(400, "errors must be 0 or 1");
  const std::string_view cluster = request.parameter("cluster");
  const config::Configuration running = proxy.configuration();
  const auto named = [cluster](const config::ClusterSnapshot& each) { return each->name == cluster; };
  if (!cluster.empty() && std::ranges::none_of(running.clusters, named)) return no_cluster(cluster);
  auto tail = proxy.begin_tail({.cluster = std::string(cluster),
                                .command = lower_case(std::string(request.parameter("cmd"))),
                                .key = beginning(request.parameter("key")),
                                .client = beginning(request.parameter("client")),
                                .node = std::string(request.parameter("backend")),
                                .errors = errors == "1",
                                .slower_than = *slower * 1000,
                                .sample = *sample},
                               patience);
  if (tail == nullptr) {
    return http::Response::error(
        503, "there are " + std::to_string(proxy::Proxy::kMostTails) + " tails already; end one of them first");
  }
  return {.type = "application/x-ndjson",
          .body = {},
          .stream = std::make_shared<TailStream>(proxy, std::move(tail), *limit)};
}

}  // namespace overlord::admin
