#pragma once
// The OpenAPI 3 document of the API, made of the tables that the server works by. It cannot tell what is not there.

#include <string>

namespace overlord::api {

std::string openapi_document();

}  // namespace overlord::api
