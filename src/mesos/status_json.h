#pragma once
// A task's status as JSON. Internal to this folder.

#include "mesos/fields.h"
#include "mesos/types.h"

namespace overlord::mesos {

Status read_status(Fields& fields, const nlohmann::json& in);
nlohmann::json status_json(const Status& status);

}  // namespace overlord::mesos
