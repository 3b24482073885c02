#pragma once
// Limit: bounds of the configuration that clients and backends run into, for the metric that counts how often. Those that
// fail a request with a Failure of their own (max_node_queue, max_leased_connections) are counted as that.

#include <cstdint>
#include <string_view>

namespace overlord::proxy {

enum class Limit : uint8_t {
  max_request_size,        // the client was closed
  max_value_size,          // the request was refused; redis: and its client closed
  max_arguments,           // the client was closed
  max_key_size,            // the request was refused
  max_pipeline,            // the client was not read from until something was answered
  max_client_buffer,       // the same
  max_clients,             // a client was refused
  max_accepts_per_second,  // taking connections was put off
  max_memory               // a client was closed because it held the most
};
inline constexpr int kLimitCount = 9;

// The key of the configuration.
constexpr std::string_view limit_name(Limit limit) {
  switch (limit) {
    case Limit::max_request_size: return "max_request_size";
    case Limit::max_value_size: return "max_value_size";
    case Limit::max_arguments: return "max_arguments";
    case Limit::max_key_size: return "max_key_size";
    case Limit::max_pipeline: return "max_pipeline";
    case Limit::max_client_buffer: return "max_client_buffer";
    case Limit::max_clients: return "max_clients";
    case Limit::max_accepts_per_second: return "max_accepts_per_second";
    case Limit::max_memory: return "max_memory";
  }
  return "";
}

}  // namespace overlord::proxy
