#include "ctl/views.h"

#include <nlohmann/json.hpp>

#include "ctl/table.h"

namespace overlord::ctl {
namespace {

using Json = nlohmann::json;

// clang-format off
constexpr Column kClusters[] = {
    {"NAME", "name"}, {"TYPE", "type"}, {"CLIENTS", "clients"}, {"BLOCKED", "clients_blocked"},
    {"REFUSED", "clients_refused"}, {"REQUESTS", "requests"}, {"FAILED", "failures", Format::sum},
    {"BACKENDS", "backends", Format::usable}, {"IN", "bytes_in", Format::brief}, {"OUT", "bytes_out", Format::brief}};
constexpr Column kBackends[] = {
    {"CLUSTER", "cluster"}, {"NODE", "node"}, {"ALIAS", "alias"}, {"STATE", "state"}, {"VERSION", "version"},
    {"UP", "connections/up"}, {"LEASED", "connections/leased"}, {"QUEUED", "queued_requests"}, {"REQUESTS", "requests"},
    {"FAILED", "failures", Format::sum}, {"FAULTS", "faults"}, {"EJECTIONS", "ejections"}};
constexpr Column kClients[] = {
    {"ID", "id"}, {"CLUSTER", "cluster"}, {"WORKER", "worker"}, {"ADDRESS", "address"}, {"IDLE_MS", "idle_ms"},
    {"IN_FLIGHT", "requests_in_flight"}, {"UNSENT", "unsent_bytes", Format::brief},
    {"UNPARSED", "unparsed_bytes", Format::brief}};
constexpr Column kSlow[] = {
    {"TIME", "time"}, {"CLUSTER", "cluster"}, {"CLIENT", "client"}, {"CMD", "cmd"}, {"KEY", "key"}, {"NODE", "node"},
    {"TOTAL_US", "total_us"}, {"WAIT", "wait_us"}, {"QUEUE", "queue_us"}, {"BACKEND", "backend_us"},
    {"WRITE", "write_us"}, {"ERROR", "error"}};
constexpr Column kHotKeys[] = {
    {"CLUSTER", "cluster"}, {"KEY", "key"}, {"PER_SECOND", "per_second", Format::brief},
    {"AT_LEAST", "at_least_per_second", Format::brief}};
constexpr Column kBigKeys[] = {
    {"CLUSTER", "cluster"}, {"KEY", "key"}, {"BYTES", "bytes"}, {"SEEN_SECONDS_AGO", "seen_seconds_ago"}};

constexpr View kViews[] = {
    {"clusters", "clusters: clients, requests, failures", "/clusters", "clusters", kClusters, false, ""},
    {"backends", "backends and their state", "/backends", "backends", kBackends, true, ""},
    {"clients", "connected clients", "/clients", "clients", kClients, true, "limit"},
    {"slowlog", "slow requests, newest first", "/slowlog", "", kSlow, true, "count"},
    {"hotkeys", "keys that are asked most", "/hotkeys", "", kHotKeys, true, "count"},
    {"bigkeys", "keys with the largest values", "/bigkeys", "", kBigKeys, true, "count"}};
// clang-format on

const Json* field_of(const Json& row, std::string_view path) {
  const Json* at = &row;
  while (at != nullptr && !path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (!at->is_object()) return nullptr;
    const auto found = at->find(std::string(path.substr(0, slash)));
    at = found == at->end() ? nullptr : &*found;
    path.remove_prefix(std::min(path.size(), slash + 1));
  }
  return at;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump();
}

std::string cell_of(const Json& row, const Column& column) {
  const Json* const value = field_of(row, column.field);
  if (value == nullptr) return "";
  switch (column.format) {
    case Format::brief: return value->is_number() ? short_number(value->get<double>()) : text_of(*value);
    case Format::sum: {
      uint64_t sum = 0;
      for (const Json& part : *value) sum += part.is_number_unsigned() ? part.get<uint64_t>() : 0;
      return std::to_string(sum);
    }
    case Format::usable: {
      const Json* const usable = field_of(row, std::string(column.field) + "_usable");
      return (usable == nullptr ? "?" : text_of(*usable)) + "/" + text_of(*value);
    }
    default: return text_of(*value);
  }
}

Result<Json> parsed(std::string_view page) {
  Json document = Json::parse(page, nullptr, false);
  if (document.is_discarded()) return fail("the answer is no JSON; is this the stat address of an overlord-proxy?");
  return document;
}

}  // namespace

std::span<const View> views() { return kViews; }

Result<std::string> table_of(const View& view, std::string_view page, size_t width) {
  const auto document = parsed(page);
  if (!document) return std::unexpected(document.error());
  const Json* const rows = field_of(*document, view.list);
  if (rows == nullptr || !rows->is_array()) return fail("the answer has no list of " + std::string(view.name));
  std::vector<std::string> titles;
  for (const Column& column : view.columns) titles.emplace_back(column.title);
  Table table(std::move(titles));
  for (const Json& row : *rows) {
    std::vector<std::string> cells;
    for (const Column& column : view.columns) cells.push_back(cell_of(row, column));
    table.add(std::move(cells));
  }
  return table.text(width);
}

Result<std::string> explanation_of(std::string_view page) {
  const auto document = parsed(page);
  if (!document) return std::unexpected(document.error());
  std::string text;
  if (const Json* how = field_of(*document, "treatment")) text += "command: " + printable(text_of(*how)) + "\n";
  if (const Json* steps = field_of(*document, "steps"); steps != nullptr && steps->is_array()) {
    for (const Json& step : *steps) text += printable(text_of(step)) + "\n";
  }
  const Json* const backend = field_of(*document, "backend");
  if (backend != nullptr && backend->is_object()) {
    text += "backend: " + printable(cell_of(*backend, {"", "node"})) + ", " +
            printable(cell_of(*backend, {"", "state"})) + "\n";
  }
  return text;
}

std::string missing_of(std::string_view page) {
  const auto document = parsed(page);
  if (!document || !document->is_object() || !document->contains("workers_without_answer")) return "";
  return "these workers did not answer, and what they have is missing: " +
         document->at("workers_without_answer").dump();
}

}  // namespace overlord::ctl
