#include "otlp/spans.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace overlord::otlp {
namespace {

using Json = nlohmann::ordered_json;
using slowlog::Entry;

// Of opentelemetry.proto.trace.v1: numbers are what the JSON form has for an enum.
enum SpanKind : int { kInternal = 1, kServer = 2, kClient = 3 };
constexpr int kStatusError = 2;

std::string hex(uint64_t number) {
  char digits[32];
  const int size = std::snprintf(digits, sizeof digits, "%016" PRIx64, number);
  return {digits, static_cast<size_t>(size)};
}

// All zeros is no id.
std::string new_id(const std::function<uint64_t()>& random) {
  for (;;) {
    if (const uint64_t number = random(); number != 0) return hex(number);
  }
}

class Attributes {
 public:
  void text(const char* key, std::string_view value) {
    if (!value.empty()) add(key, {{"stringValue", value}});
  }
  // 64-bit numbers are text in this form.
  void number(const char* key, int64_t value) { add(key, {{"intValue", std::to_string(value)}}); }
  Json take() { return std::move(list_); }

 private:
  void add(const char* key, Json value) { list_.push_back({{"key", key}, {"value", std::move(value)}}); }
  Json list_ = Json::array();
};

bool is_ip(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

void add_operation(Attributes& to, const Entry& request) {
  const std::string_view system = request.redis ? "redis" : "memcached";
  to.text("db.system.name", system);
  to.text("db.operation.name", request.command);
  to.text("db.system", system);
  to.text("db.operation", request.command);
  to.text("error.type", request.error);
}

void add_place(Attributes& to, const char* address, const char* port, const Place& place) {
  to.text(address, place.host);
  if (place.port > 0) to.number(port, place.port);
}

Json attributes_of_request(const Entry& request) {
  Attributes out;
  add_operation(out, request);
  out.text("overlord.cluster", request.cluster.view());
  if (request.key_size > 0) out.text(request.key_hashed ? "overlord.key_hash" : "overlord.key", request.key.view());
  out.number("overlord.parts", request.parts);
  const Place client = place_of(request.client.view());
  add_place(out, "client.address", "client.port", client);
  if (is_ip(client.host)) add_place(out, "network.peer.address", "network.peer.port", client);
  return out.take();
}

Json attributes_of_backend(const Entry& request) {
  Attributes out;
  add_operation(out, request);
  const Place node = place_of(request.node.view());
  add_place(out, "server.address", "server.port", node);
  if (is_ip(node.host)) add_place(out, "network.peer.address", "network.peer.port", node);
  return out.take();
}

struct Times {
  uint64_t from = 0;  // unix ns
  uint64_t to = 0;
};

Json span(const std::string& trace, const std::string& id, std::string name, SpanKind kind, Times times) {
  return {{"traceId", trace},
          {"spanId", id},
          {"name", std::move(name)},
          {"kind", static_cast<int>(kind)},
          {"startTimeUnixNano", std::to_string(times.from)},
          {"endTimeUnixNano", std::to_string(times.to)}};
}

void add_spans(Json& to, const Entry& request, const std::function<uint64_t()>& random) {
  const std::string trace = new_id(random) + hex(random());
  const std::string root = new_id(random);
  const uint64_t began = request.began_us * 1000;
  std::string name = std::string(request.command).append(" ").append(request.cluster.view());
  Json whole = span(trace, root, std::move(name), kServer, {began, began + request.stages.total()});
  whole["attributes"] = attributes_of_request(request);
  if (!request.error.empty()) whole["status"] = {{"code", kStatusError}, {"message", request.error}};
  to.push_back(std::move(whole));
  if (request.parts == 0) return;  // the proxy's own answer
  uint64_t at = began;
  const auto stage = [&](const char* called, uint64_t took, SpanKind kind) {
    Json part = span(trace, new_id(random), called, kind, {at, at + took});
    part["parentSpanId"] = root;
    at += took;
    if (kind == kClient) part["attributes"] = attributes_of_backend(request);
    to.push_back(std::move(part));
  };
  stage("wait", request.stages.wait, kInternal);
  stage("queue", request.stages.queue, kInternal);
  stage("backend", request.stages.backend, kClient);
  stage("write", request.stages.write, kInternal);
}

Json attributes_of_process(const Resource& resource) {
  Attributes out;
  out.text("service.name", "overlord-proxy");
  out.text("service.version", resource.version);
  out.text("service.instance.id", resource.host + ":" + std::to_string(resource.pid));
  out.text("host.name", resource.host);
  out.number("process.pid", resource.pid);
  return out.take();
}

}  // namespace

Place place_of(std::string_view text) {
  if (const size_t open = text.find(" ("); open != std::string_view::npos && text.ends_with(')')) {
    text = text.substr(open + 2, text.size() - open - 3);
  }
  if (text.starts_with('/')) return {std::string(text), 0};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {std::string(text), 0};
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  Place place;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), place.port);
  if (failure != std::errc{} || end != digits.data() + digits.size()) return {std::string(text), 0};
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  place.host = host;
  return place;
}

std::string traces_body(const Resource& resource, std::span<const Entry> requests,
                        const std::function<uint64_t()>& random) {
  Json spans = Json::array();
  for (const Entry& request : requests) add_spans(spans, request, random);
  Json scope = {{"scope", {{"name", "overlord-proxy"}, {"version", resource.version}}}, {"spans", std::move(spans)}};
  Json from = {{"resource", {{"attributes", attributes_of_process(resource)}}},
               {"scopeSpans", Json::array({std::move(scope)})}};
  const Json body = {{"resourceSpans", Json::array({std::move(from)})}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

PartialSuccess partial_success(std::string_view body) {
  const Json answer = Json::parse(body, nullptr, false);
  PartialSuccess out;
  if (!answer.is_object() || !answer.contains("partialSuccess")) return out;
  const Json& partial = answer["partialSuccess"];
  if (!partial.is_object()) return out;
  if (const auto count = partial.find("rejectedSpans"); count != partial.end()) {
    if (count->is_number_unsigned()) out.rejected = count->get<uint64_t>();
    if (count->is_string()) {
      const auto text = count->get<std::string>();
      std::from_chars(text.data(), text.data() + text.size(), out.rejected);
    }
  }
  if (const auto why = partial.find("errorMessage"); why != partial.end() && why->is_string()) {
    out.message = why->get<std::string>();
  }
  return out;
}

}  // namespace overlord::otlp
