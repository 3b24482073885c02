// What the memcache parsers cost per message. The interesting row is request/get: a single get of a 32-byte key.

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "protocol/memcache/reply_line.h"
#include "protocol/memcache/request_parser.h"

namespace overlord::memcache {
namespace {

const std::string kKey = "user:0123456789abcdef:session:42";  // 32 bytes

// Sixteen messages behind each other, as a pipelining client sends them.
std::string pipeline(const std::string& message) {
  std::string made;
  for (int i = 0; i < 16; ++i) made += message;
  return made;
}

void requests(benchmark::State& state, const std::string& message) {
  const std::string bytes = pipeline(message);
  const Limits limits;
  Request request;
  for (auto _ : state) {
    std::string_view rest = bytes;
    while (!rest.empty()) {
      if (parse_request(rest, limits, request) != ParseStatus::complete) {
        state.SkipWithError("did not parse");
        return;
      }
      benchmark::DoNotOptimize(request);
      rest.remove_prefix(request.size);
    }
  }
  state.SetItemsProcessed(state.iterations() * 16);
}

void replies(benchmark::State& state, const std::string& line) {
  const std::string bytes = pipeline(line);
  for (auto _ : state) {
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const ReplyLine reply = parse_reply_line(rest);
      if (reply.size == 0) {
        state.SkipWithError("did not parse");
        return;
      }
      benchmark::DoNotOptimize(reply.kind);
      rest.remove_prefix(reply.size);
    }
  }
  state.SetItemsProcessed(state.iterations() * 16);
}

void register_all() {
  const auto request = [](const char* name, const std::string& message) {
    benchmark::RegisterBenchmark(name, [message](benchmark::State& state) { requests(state, message); });
  };
  const auto reply = [](const char* name, const std::string& line) {
    benchmark::RegisterBenchmark(name, [line](benchmark::State& state) { replies(state, line); });
  };
  std::string ten = "get";
  for (int i = 0; i < 10; ++i) ten += " " + kKey;
  request("request/get", "get " + kKey + "\r\n");
  request("request/gets", "gets " + kKey + "\r\n");
  request("request/get of 10", ten + "\r\n");
  request("request/set of 100 bytes", "set " + kKey + " 0 3600 100\r\n" + std::string(100, 'v') + "\r\n");
  request("request/incr", "incr " + kKey + " 1\r\n");
  request("request/delete", "delete " + kKey + "\r\n");
  reply("reply/VALUE", "VALUE " + kKey + " 0 100\r\n");
  reply("reply/END", "END\r\n");
  reply("reply/STORED", "STORED\r\n");
}

}  // namespace
}  // namespace overlord::memcache

int main(int argc, char** argv) {
  overlord::memcache::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
