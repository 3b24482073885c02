// Event streams of Mesos: however the bytes come the records are the same, and reading an event gives a value within
// its bounds or an error. The first byte says into what pieces the bytes are cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "mesos/event_stream.h"
#include "mesos/executor_api.h"
#include "mesos/recordio.h"
#include "mesos/scheduler_calls.h"
#include "mesos/scheduler_events.h"

using namespace overlord::mesos;

namespace {

constexpr size_t kLongest = 64 * 1024;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_scheduler_event(std::string_view text) {
  const auto event = parse_scheduler_event(text);
  if (!event) return;
  if (const auto* offers = std::get_if<Offers>(&*event)) {
    for (const Offer& offer : offers->offers) {
      require(!offer.id.empty() && !offer.agent_id.empty());
      for (const Resource& resource : offer.resources) {
        require(!resource.role.empty());
        for (const PortRange range : resource.ports) require(range.first <= range.last);
      }
    }
  }
  if (const auto* update = std::get_if<Update>(&*event)) {
    require(!update->status.task_id.empty());
    require(!acknowledge_call("f", update->status).empty());
  }
  if (const auto* subscribed = std::get_if<Subscribed>(&*event)) {
    require(!subscribed->framework_id.empty() && subscribed->heartbeat.count() >= 0);
  }
}

void check_executor_event(std::string_view text) {
  const auto event = executor::parse_event(text);
  if (!event) return;
  if (const auto* launch = std::get_if<executor::Launch>(&*event)) {
    require(!launch->task_id.empty());
    require(!executor::subscribe_call({"f", "e"}, std::vector{launch->task}, {}).empty());
  }
  if (const auto* kill = std::get_if<executor::Kill>(&*event)) {
    require(!kill->task_id.empty() && (!kill->grace || kill->grace->count() >= 0));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  RecordIo at_once(kLongest);
  RecordIo in_pieces(kLongest);
  std::vector<std::string> records;
  std::vector<std::string> again;
  const bool good = at_once.feed(text, records).has_value();
  bool also_good = true;
  const size_t step = size_t{data[0]} % 16 + 1;
  for (size_t at = 0; at < text.size() && also_good; at += step) {
    also_good = in_pieces.feed(text.substr(at, step), again).has_value();
  }
  require(good == also_good && records == again);
  records.emplace_back(text);
  for (const std::string& record : records) {
    check_scheduler_event(record);
    check_executor_event(record);
  }
  const std::string server = server_of_location(text, "http://a:1");
  require(server.empty() || server.find_first_of(" \r\n\t@") == std::string::npos);
  return 0;
}
