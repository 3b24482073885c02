#pragma once
// What the server shows of itself and of the platform at /metrics, in Prometheus' text format.

#include <string>

#include "api/call.h"

namespace overlord::api {

// Families of the platform are left out when the store does not answer; overlord_api_store_up is 0 then.
std::string metrics_page(Service& service);

}  // namespace overlord::api
