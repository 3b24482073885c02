#include "loadgen/report.h"

#include <cinttypes>
#include <cstdio>

namespace loadgen {
namespace {

constexpr double kQuantiles[] = {0.5, 0.9, 0.99, 0.999, 1.0};
constexpr const char* kQuantileNames[] = {"p50", "p90", "p99", "p999", "max"};

double per_reply(int64_t nanoseconds, const LoadResult& r) {
  if (r.window.replies == 0 || nanoseconds < 0) return 0;
  return static_cast<double>(nanoseconds) / 1000 / static_cast<double>(r.window.replies);
}

double rate(const LoadResult& r) { return r.seconds > 0 ? static_cast<double>(r.window.replies) / r.seconds : 0; }

void print_json(const char* name, const LoadResult& r) {
  std::printf("{\"run\":\"%s\",\"seconds\":%.6f,\"requests\":%" PRIu64 ",\"requests_per_second\":%.1f", name, r.seconds,
              r.window.replies, rate(r));
  std::printf(",\"latency_us\":{");
  for (size_t i = 0; i < std::size(kQuantiles); ++i) {
    std::printf("%s\"%s\":%.3f", i == 0 ? "" : ",", kQuantileNames[i],
                static_cast<double>(r.latency.quantile(kQuantiles[i])) / 1000);
  }
  std::printf("},\"hits\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"reordered\":%" PRIu64,
              r.window.hits, r.window.misses, r.window.errors, r.window.reordered);
  std::printf(",\"total\":{\"requests\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"wrong\":%" PRIu64
              ",\"unanswered\":%" PRIu64 ",\"lost_connections\":%" PRIu64 "}",
              r.total.replies, r.total.misses, r.total.errors, r.total.wrong, r.unanswered, r.lost_connections);
  std::printf(",\"unsent\":%" PRIu64 ",\"own_cpu_us_per_request\":%.4f,\"watched\":{", r.unsent,
              per_reply(r.own_cpu_ns, r));
  for (size_t i = 0; i < r.watched.size(); ++i) {
    std::printf("%s\"%d\":{\"cpu_ns\":%" PRId64 ",\"ticks_ns\":%" PRId64 "}", i == 0 ? "" : ",", r.watched[i].pid,
                r.watched[i].scheduler_ns, r.watched[i].ticks_ns);
  }
  std::printf("}}\n");
}

void print_text(const char* name, const LoadResult& r) {
  std::printf("%s: %" PRIu64 " requests in %.2f s: %.0f/s\n", name, r.window.replies, r.seconds, rate(r));
  std::printf("  latency us:");
  for (size_t i = 0; i < std::size(kQuantiles); ++i) {
    std::printf(" %s %.1f", kQuantileNames[i], static_cast<double>(r.latency.quantile(kQuantiles[i])) / 1000);
  }
  std::printf("\n  hits %" PRIu64 ", misses %" PRIu64 ", errors %" PRIu64 ", wrong %" PRIu64 ", unanswered %" PRIu64
              ", lost connections %" PRIu64 "\n",
              r.window.hits, r.total.misses, r.total.errors, r.total.wrong, r.unanswered, r.lost_connections);
  if (r.unsent > 0) std::printf("  behind the schedule: %" PRIu64 " requests unsent\n", r.unsent);
  std::printf("  own CPU per request: %.2f us\n", per_reply(r.own_cpu_ns, r));
  for (const WatchedCpu& w : r.watched) {
    std::printf("  CPU per request of process %d: %.2f us (ticks: %.2f us)\n", w.pid, per_reply(w.scheduler_ns, r),
                per_reply(w.ticks_ns, r));
  }
}

}  // namespace

void print_report(const char* name, const Options& options, const LoadResult& result) {
  if (options.json)
    print_json(name, result);
  else
    print_text(name, result);
  std::fflush(stdout);
}

int exit_code(const Options& options, const LoadResult& r) {
  if (r.total.wrong > 0) return 1;
  if (options.allow_errors) return 0;
  const bool missed = options.preload && r.total.misses > 0;
  return r.total.errors > 0 || missed || r.unanswered > 0 || r.lost_connections > 0 ? 3 : 0;
}

}  // namespace loadgen
