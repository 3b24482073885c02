#include "http/server_routes.h"

#include <event2/http.h>

#include <cstdlib>
#include <memory>

namespace overlord::http {
namespace {

// The part before the next slash, which is taken off with it.
std::string_view next_segment(std::string_view& path) {
  const size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return segment;
}

bool is_name(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

std::string decoded(std::string_view text) {
  size_t size = 0;
  const std::unique_ptr<char, decltype(&::free)> plain(::evhttp_uridecode(std::string(text).c_str(), 0, &size), ::free);
  return plain == nullptr ? std::string() : std::string(plain.get(), size);
}

std::string_view without_slash(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

bool matches(std::string_view pattern, const Request& request, bool loose) {
  if (pattern.find('{') == std::string_view::npos) {
    return pattern == request.path || (loose && pattern == without_slash(request.path));
  }
  std::string_view path = loose ? without_slash(request.raw_path) : std::string_view(request.raw_path);
  if (path.ends_with('/')) return false;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view segment = next_segment(path);
    if (is_name(wanted) ? segment.empty() : wanted != segment) return false;
  }
  return pattern.empty() && path.empty();
}

std::map<std::string, std::string, std::less<>> captures(std::string_view pattern, std::string_view raw_path) {
  std::map<std::string, std::string, std::less<>> out;
  while (!pattern.empty() && !raw_path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view segment = next_segment(raw_path);
    if (is_name(wanted)) out.insert_or_assign(std::string(wanted.substr(1, wanted.size() - 2)), decoded(segment));
  }
  return out;
}

bool is_own_page(std::string_view origin, std::string_view host) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && !host.empty() && origin.substr(scheme + 3) == host;
}

}  // namespace overlord::http
