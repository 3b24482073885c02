// overlord-loadgen: see options.cpp for what it does and docs/benchmark.md for why.
#include <cstdio>
#include <string_view>

#include "loadgen/connect.h"
#include "loadgen/idle.h"
#include "loadgen/load.h"
#include "loadgen/options.h"
#include "loadgen/reconnect.h"
#include "loadgen/report.h"

namespace {

int run_load(const loadgen::Options& options, const loadgen::Keyspace& keys, const loadgen::Wire& wire,
             loadgen::Connector& connector, std::vector<loadgen::Channel> channels) {
  loadgen::Load load(options, keys, wire, std::move(channels));
  int code = 0;
  if (options.preload) {
    const loadgen::LoadResult result = load.preload();
    loadgen::print_report("preload", options, result);
    code = loadgen::exit_code(options, result);
  }
  if (code != 0 || (options.duration_seconds == 0 && options.requests == 0)) return code;
  const loadgen::LoadResult result =
      options.reconnect ? loadgen::Reconnect(options, keys, wire, connector).run() : load.run();
  loadgen::print_report("load", options, result);
  return loadgen::exit_code(options, result);
}

}  // namespace

int main(int argc, char** argv) {
  const loadgen::ParsedOptions parsed = loadgen::parse_options(argc, argv);
  if (parsed.help) {
    std::fputs(loadgen::usage(), stdout);
    return 0;
  }
  if (!parsed.error.empty()) {
    std::fprintf(stderr, "%s (--help lists the options)\n", parsed.error.c_str());
    return 2;
  }
  const loadgen::Options& options = parsed.options;
  const size_t count = options.idle > 0 ? options.idle : options.connections;
  loadgen::raise_file_limit(count + 64);
  const loadgen::TlsContext context;
  loadgen::Connector connector(options, context);
  loadgen::Connected connected = loadgen::connect_all(connector, count);
  if (!connected.error.empty()) {
    std::fprintf(stderr, "%s\n", connected.error.c_str());
    return 2;
  }
  // A key of one shape is an error to the commands of another.
  constexpr std::string_view kPrefixes[] = {"overlord-bench:", "overlord-hash:", "overlord-zset:"};
  const loadgen::Keyspace keys(options.keys, options.key_size, options.value_size,
                               kPrefixes[static_cast<size_t>(options.shape)]);
  const auto wire = loadgen::make_wire(options, keys);
  if (options.idle > 0) return loadgen::hold_idle(options, *wire, std::move(connected.channels));
  return run_load(options, keys, *wire, connector, std::move(connected.channels));
}
