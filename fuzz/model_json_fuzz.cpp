// Records from JSON of whoever wrote it: what is read comes back as it was written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/cluster.h"
#include "model/host.h"
#include "model/job.h"
#include "model/json.h"
#include "model/people.h"
#include "model/task.h"

using namespace overlord;

namespace {

template <typename Record>
void comes_back(std::string_view text) {
  const auto record = model::from_json<Record>(text);
  if (!record) return;
  const std::string written = model::to_json(*record);
  const auto again = model::from_json<Record>(written);
  if (!again || model::to_json(*again) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  comes_back<model::Cluster>(text);
  comes_back<model::Node>(text);
  comes_back<model::NodeState>(text);
  comes_back<model::Host>(text);
  comes_back<model::Version>(text);
  comes_back<model::Job>(text);
  comes_back<model::User>(text);
  comes_back<model::Token>(text);
  comes_back<model::AuditRecord>(text);
  comes_back<model::NodeTask>(text);
  return 0;
}
