#pragma once
// The pages of upgrades.

#include "http/server.h"
#include "proxy/upgrade.h"

namespace overlord::admin {

http::Response upgrade_page(const proxy::UpgradeStatus& status);
// ?binary=PATH: begins one; 202 when it has begun, 422 and the reason when not.
http::Response start_upgrade(proxy::Upgrade& upgrade, const http::Request& request);

}  // namespace overlord::admin
