#pragma once
// How the server's routes match paths. Internal to this folder.

#include <map>
#include <string>
#include <string_view>

#include "http/server.h"

namespace overlord::http {

// pattern: "/clusters/{name}/nodes"; a name in braces stands for one segment, not empty. Without braces the decoded path
// counts as a whole. loose: a slash at the path's end counts for nothing.
bool matches(std::string_view pattern, const Request& request, bool loose);
// Of a path that matches; decoded.
std::map<std::string, std::string, std::less<>> captures(std::string_view pattern, std::string_view raw_path);
// Whether the page is of the server that it asks: "https://host:port" and "host:port".
bool is_own_page(std::string_view origin, std::string_view host);

}  // namespace overlord::http
