// What it costs to find a redis request, its command, and the end of a reply.
#include <benchmark/benchmark.h>

#include <string>

#include "protocol/redis/command.h"
#include "protocol/redis/reply_scanner.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

std::string pipeline(std::initializer_list<std::string_view> args, int requests) {
  std::string out;
  for (int i = 0; i < requests; ++i) append_command(out, {args.begin(), args.size()});
  return out;
}

void parse_all(benchmark::State& state, const std::string& bytes, int64_t requests) {
  RequestParser parser;
  for (auto _ : state) {
    std::string_view left = bytes;
    while (!left.empty()) {
      parser.reset();
      benchmark::DoNotOptimize(parser.parse(left));
      benchmark::DoNotOptimize(parser.arg(1).data());
      left.remove_prefix(parser.size());
    }
  }
  state.SetItemsProcessed(state.iterations() * requests);
}

void BM_parse_get(benchmark::State& state) { parse_all(state, pipeline({"GET", std::string(32, 'k')}, 64), 64); }
BENCHMARK(BM_parse_get);

void BM_parse_set_100(benchmark::State& state) {
  parse_all(state, pipeline({"SET", std::string(32, 'k'), std::string(100, 'v')}, 64), 64);
}
BENCHMARK(BM_parse_set_100);

void BM_parse_mget_10(benchmark::State& state) {
  const std::string key(32, 'k');
  parse_all(state, pipeline({"MGET", key, key, key, key, key, key, key, key, key, key}, 16), 16);
}
BENCHMARK(BM_parse_mget_10);

void BM_walk_mget_10(benchmark::State& state) {
  const std::string key(32, 'k');
  const std::string bytes = pipeline({"MGET", key, key, key, key, key, key, key, key, key, key}, 1);
  RequestParser parser;
  parser.parse(bytes);
  for (auto _ : state) {
    ArgCursor cursor(parser);
    while (cursor.next()) benchmark::DoNotOptimize(cursor.value().data());
  }
}
BENCHMARK(BM_walk_mget_10);

void BM_find_command(benchmark::State& state) {
  const std::string_view names[] = {"GET",   "set", "MGET", "ZRANGEBYSCORE", "hset", "INCR", "georadiusbymember_ro",
                                    "nosuch"};
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(find_command(names[next++ % 8]));
}
BENCHMARK(BM_find_command);

void scan_all(benchmark::State& state, std::string_view reply, int64_t replies) {
  std::string bytes;
  for (int64_t i = 0; i < replies; ++i) bytes += reply;
  ReplyScanner scanner;
  for (auto _ : state) {
    std::string_view left = bytes;
    while (!left.empty()) {
      size_t consumed = 0;
      scanner.reset();
      benchmark::DoNotOptimize(scanner.advance(left, consumed));
      left.remove_prefix(consumed);
    }
  }
  state.SetItemsProcessed(state.iterations() * replies);
}

void BM_scan_ok(benchmark::State& state) { scan_all(state, "+OK\r\n", 64); }
BENCHMARK(BM_scan_ok);

void BM_scan_integer(benchmark::State& state) { scan_all(state, ":12345\r\n", 64); }
BENCHMARK(BM_scan_integer);

void BM_scan_bulk_100(benchmark::State& state) {
  std::string reply;
  append_bulk(reply, std::string(100, 'v'));
  scan_all(state, reply, 64);
}
BENCHMARK(BM_scan_bulk_100);

void BM_scan_array_10(benchmark::State& state) {
  std::string reply = "*10\r\n";
  for (int i = 0; i < 10; ++i) append_bulk(reply, std::string(100, 'v'));
  scan_all(state, reply, 16);
}
BENCHMARK(BM_scan_array_10);

}  // namespace
}  // namespace overlord::redis

BENCHMARK_MAIN();
