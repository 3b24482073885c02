#include "admin/parameters.h"

#include <charconv>
#include <string>

namespace overlord::admin {

std::expected<size_t, http::Response> number_parameter(const http::Request& request, std::string_view name,
                                                       size_t usual, size_t most) {
  const std::string_view text = request.parameter(name);
  if (text.empty()) return usual;
  size_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= most) return number;
  return std::unexpected(
      http::Response::error(400, std::string(name) + " must be a number from 1 to " + std::to_string(most)));
}

http::Response no_cluster(std::string_view name) {
  return http::Response::error(404, "there is no cluster '" + std::string(name) + "'; /clusters lists them");
}

}  // namespace overlord::admin
