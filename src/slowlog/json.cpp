#include <ctime>
#include <nlohmann/json.hpp>

#include "slowlog/store.h"

namespace overlord::slowlog {
namespace {

std::string time_text(uint64_t unix_us) {
  constexpr uint64_t kMicroseconds = 1'000'000;
  const auto seconds = static_cast<time_t>(unix_us / kMicroseconds);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &parts);
  std::string fraction = std::to_string(unix_us % kMicroseconds);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::string(text, size) + fraction + "Z";
}

}  // namespace

std::string json_line(const Entry& entry) {
  nlohmann::ordered_json line;
  if (entry.number > 0) line["number"] = entry.number;
  line["time"] = time_text(entry.began_us);
  line["cluster"] = entry.cluster.view();
  line["client"] = entry.client.view();
  line["cmd"] = entry.command;
  if (entry.key_size > 0) {
    line[entry.key_hashed ? "key_hash" : "key"] = entry.key.view();
    line["key_bytes"] = entry.key_size;
  }
  line["parts"] = entry.parts;
  line["node"] = entry.node.view();
  line["total_us"] = entry.stages.total() / 1000;
  line["wait_us"] = entry.stages.wait / 1000;
  line["queue_us"] = entry.stages.queue / 1000;
  line["backend_us"] = entry.stages.backend / 1000;
  line["write_us"] = entry.stages.write / 1000;
  if (!entry.error.empty()) line["error"] = entry.error;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace overlord::slowlog
