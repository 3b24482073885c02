#pragma once
// A JSON document as an HTTP response. Only for the .cpp files of this module: the JSON header is heavy.

#include <string>
#include <utility>

#include "http/server.h"

namespace overlord::admin {

template <typename Json>
http::Response json_response(const Json& document) {
  http::Response response;
  response.type = "application/json; charset=utf-8";
  // Keys and names come from anywhere: what is not UTF-8 is shown as the replacement character.
  response.body = document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return response;
}

}  // namespace overlord::admin
