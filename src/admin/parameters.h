#pragma once
// What pages take from the query of a request, and what they answer when it is wrong.

#include <expected>
#include <string_view>

#include "http/server.h"

namespace overlord::admin {

// ?NAME=N, from 1 to `most`; `usual` when it is not there. Else the answer that says so.
std::expected<size_t, http::Response> number_parameter(const http::Request& request, std::string_view name,
                                                       size_t usual, size_t most);
// 404, for a page of a cluster that there is not.
http::Response no_cluster(std::string_view name);

}  // namespace overlord::admin
