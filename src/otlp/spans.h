#pragma once
// Requests as spans of OpenTelemetry, in the JSON form of OTLP 1.x (opentelemetry.io/docs/specs/otlp): a body for
// POST /v1/traces. Each request is a trace of its own: a server span from when it was read until its answer was written, and
// below it its stages, as the slow log has them. Names of attributes follow the semantic conventions for databases; those of
// before 1.28 (db.system, db.operation) are there as well, because many tools look for them.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "slowlog/entry.h"

namespace overlord::otlp {

// Of the process.
struct Resource {
  std::string version;
  std::string host;
  int64_t pid = 0;
};

// random: 64 bits of it, for ids.
std::string traces_body(const Resource& resource, std::span<const slowlog::Entry> requests,
                        const std::function<uint64_t()>& random);

// How many of them a collector that answered 200 did not take, and why.
struct PartialSuccess {
  uint64_t rejected = 0;
  std::string message;
};
PartialSuccess partial_success(std::string_view body);

// "ALIAS (HOST:PORT)" and "HOST:PORT" in parts. port 0: none (a unix socket's path is the host).
struct Place {
  std::string host;
  uint16_t port = 0;
};
Place place_of(std::string_view text);

}  // namespace overlord::otlp
