#include "mesos/scheduler_events.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "mesos/fields.h"
#include "mesos/status_json.h"

namespace overlord::mesos {
namespace {

using Json = nlohmann::json;

// Amounts beyond these are no machine's; whatever says so gets that much.
constexpr double kMostCores = 1e6;
constexpr double kMostMebibytes = 1e12;
constexpr double kLongestHeartbeat = 3600;  // seconds

std::vector<PortRange> ranges(Fields& fields, const Json& in) {
  std::vector<PortRange> found;
  fields.each(in, "range", [&](const Json& one) {
    const double first = fields.number(one, "begin");
    const double last = fields.number(one, "end");
    if (first < 0 || last < first) return fields.spoil();
    if (first > UINT16_MAX) return;
    found.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(std::min<double>(last, UINT16_MAX))});
  });
  return found;
}

// What our tasks cannot use, or could not say they use without the capability RESERVATION_REFINEMENT.
bool special(const Json& resource) {
  for (const char* name : {"revocable", "reservation", "reservations", "disk", "shared", "provider_id"}) {
    const auto at = resource.find(name);
    if (at != resource.end() && !at->is_null() && !(at->is_array() && at->empty())) return true;
  }
  return false;
}

void read_resource(Fields& fields, const Json& in, std::vector<Resource>& out) {
  const std::string name = fields.text(in, "name");
  if (!fields.good() || (name != "cpus" && name != "mem" && name != "ports") || special(in)) return;
  Resource resource;
  if (std::string role = fields.text(in, "role"); !role.empty()) resource.role = std::move(role);
  if (name == "ports") {
    resource.kind = ResourceKind::ports;
    if (const Json* const found = fields.find(in, "ranges"); found != nullptr) resource.ports = ranges(fields, *found);
  } else {
    const Json* const scalar = fields.find(in, "scalar");
    const double value = scalar == nullptr ? 0 : fields.number(*scalar, "value");
    if (value < 0) return fields.spoil();
    resource.kind = name == "cpus" ? ResourceKind::cpus : ResourceKind::memory;
    // Cores come as doubles of a thousandth's precision: 0.7 is what 0.69999999999999996 means.
    resource.amount = name == "cpus" ? static_cast<uint64_t>(std::llround(std::min(value, kMostCores) * 1000))
                                     : static_cast<uint64_t>(std::min(value, kMostMebibytes) + 1e-6);
  }
  out.push_back(std::move(resource));
}

std::string number_text(double value) {
  char text[64];
  const auto [end, failure] = std::to_chars(text, text + sizeof text, value);
  return failure == std::errc{} ? std::string(text, end) : std::string();
}

void read_attribute(Fields& fields, const Json& in, std::map<std::string, std::string>& out) {
  const std::string name = fields.text(in, "name");
  if (name.empty()) return;
  if (const Json* const text = fields.find(in, "text"); text != nullptr) {
    out[name] = fields.text(*text, "value");
  } else if (const Json* const scalar = fields.find(in, "scalar"); scalar != nullptr) {
    out[name] = number_text(fields.number(*scalar, "value"));
  }
}

Offer read_offer(Fields& fields, const Json& in) {
  Offer offer;
  offer.id = fields.id(in, "id");
  offer.agent_id = fields.id(in, "agent_id");
  offer.hostname = fields.text(in, "hostname");
  if (const Json* const url = fields.find(in, "url"); url != nullptr) {
    if (const Json* const address = fields.find(*url, "address"); address != nullptr) {
      offer.address = fields.text(*address, "ip");
    }
  }
  if (const Json* const allocation = fields.find(in, "allocation_info"); allocation != nullptr) {
    offer.role = fields.text(*allocation, "role");
  }
  fields.each(in, "resources", [&](const Json& one) { read_resource(fields, one, offer.resources); });
  fields.each(in, "attributes", [&](const Json& one) { read_attribute(fields, one, offer.attributes); });
  if (offer.id.empty() || offer.agent_id.empty()) fields.spoil();
  return offer;
}

Subscribed read_subscribed(Fields& fields, const Json& in) {
  Subscribed subscribed;
  subscribed.framework_id = fields.id(in, "framework_id");
  if (subscribed.framework_id.empty()) fields.spoil();
  const double seconds = fields.number(in, "heartbeat_interval_seconds");
  if (seconds > 0) {
    subscribed.heartbeat = std::chrono::milliseconds(static_cast<int64_t>(std::min(seconds, kLongestHeartbeat) * 1000));
  }
  if (const Json* const master = fields.find(in, "master_info"); master != nullptr) {
    subscribed.master = fields.text(*master, "hostname") + ":" +
                        std::to_string(std::llround(std::min(fields.number(*master, "port"), 65535.0)));
  }
  return subscribed;
}

SchedulerEvent read_event(Fields& fields, const std::string& type, const Json& body) {
  if (type == "SUBSCRIBED") return read_subscribed(fields, body);
  if (type == "OFFERS") {
    Offers offers;
    fields.each(body, "offers", [&](const Json& one) { offers.offers.push_back(read_offer(fields, one)); });
    return offers;
  }
  if (type == "RESCIND") return Rescind{fields.id(body, "offer_id")};
  if (type == "UPDATE") {
    const Json* const status = fields.find(body, "status");
    if (status == nullptr) fields.spoil();
    return status == nullptr ? Update{} : Update{read_status(fields, *status)};
  }
  if (type == "MESSAGE") {
    return Message{fields.id(body, "agent_id"), fields.id(body, "executor_id"), fields.bytes(body, "data")};
  }
  if (type == "FAILURE") {
    return Failure{fields.id(body, "agent_id"), fields.id(body, "executor_id"),
                   static_cast<int>(std::clamp(fields.number(body, "status"), -1e9, 1e9))};
  }
  if (type == "ERROR") return Refused{fields.text(body, "message")};
  if (type == "HEARTBEAT") return Heartbeat{};
  return Other{type};
}

}  // namespace

Result<SchedulerEvent> parse_scheduler_event(std::string_view text) {
  const auto event = parse_object(text);
  if (!event) return fail("an event that is no JSON object");
  Fields fields;
  const std::string type = fields.text(*event, "type");
  // Each event's body is a field of its name.
  const std::string name = lower_case(type);
  static const Json kNone = Json::object();
  const Json* const body = fields.find(*event, name.c_str());
  SchedulerEvent read = read_event(fields, type, body == nullptr ? kNone : *body);
  if (!fields.good() || type.empty()) return fail("an event " + type + " that cannot be read");
  return read;
}

}  // namespace overlord::mesos
