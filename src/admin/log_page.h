#pragma once
// GET and POST /log: how much the log of the process says, seen and changed while it runs. A change lasts until the next one
// or the end of the process; the configuration is not touched.

#include "http/server.h"

namespace overlord::admin {

http::Response log_page();
// ?level=NAME&detail=N: debug, info, warn or error; detail of debug messages, 1 to 1000 (1).
http::Response set_log(const http::Request& request);

}  // namespace overlord::admin
