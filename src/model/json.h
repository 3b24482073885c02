#pragma once
// Records from JSON text, as to_json() of each made it. Unknown fields are passed over, what is missing keeps its
// default; the error names the field that cannot be read. Bytes come from outside: nothing but an error comes of them.

#include <string_view>

#include "base/error.h"

namespace overlord::model {

template <typename Record>
Result<Record> from_json(std::string_view text);  // Cluster, Node, NodeState, Host, Version, Job, User, Token,
                                                  // AuditRecord, NodeTask

}  // namespace overlord::model
