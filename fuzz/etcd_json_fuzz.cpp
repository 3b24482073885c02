// Answers of etcd: whatever they hold, reading them gives a value within its bounds or nothing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "store/etcd_json.h"

using namespace overlord::store;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Record& record) {
  require(!record.key.empty() && record.modified > 0 && record.created >= 0);
  require(overlord::from_base64(overlord::to_base64(record.value)) == record.value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto range = etcd::parse_range(text)) {
    require(range->revision > 0);
    for (const Record& record : range->records) check(record);
  }
  if (const auto commit = etcd::parse_commit(text)) {
    require(commit->revision > 0);
    for (const auto& found : commit->found) {
      if (found) check(*found);
    }
  }
  if (const auto lease = etcd::parse_lease(text)) require(lease->id != 0 && lease->ttl.count() >= 0);
  if (const auto token = etcd::parse_token(text)) {
    require(!token->empty() && token->find_first_of("\r\n ") == std::string::npos);
  }
  if (const auto refusal = etcd::parse_refusal(text)) require(refusal->code >= 0);
  if (const auto watch = etcd::parse_watch(text)) {
    Revision last = 0;
    for (const Event& event : watch->events) {
      require(!event.record.key.empty() && event.record.modified >= last);
      last = event.record.modified;
    }
  }
  // What can be decoded is the only text for its bytes, but for what stands behind it.
  if (const auto bytes = overlord::from_base64(text)) require(overlord::to_base64(*bytes).size() == size);
  return 0;
}
