#pragma once
// Records as the API shows them. The fields of the Go platform keep their names and meanings; times are RFC 3339 in UTC,
// absent ones empty. Nothing secret is in any of them. Each has its Schema beside it.

#include <nlohmann/json_fwd.hpp>

#include "api/config.h"
#include "api/records.h"
#include "api/schema.h"
#include "http/server.h"

namespace overlord::api {

using Json = nlohmann::ordered_json;

Json view(const ClusterView& cluster, const Config& config);
Json view(const NodeView& node);
Json view(const model::Job& job, bool steps);
Json view(const model::AuditRecord& record);
Json view(const model::User& user);

extern const Schema kClusterSchema;
extern const Schema kInstanceSchema;
extern const Schema kJobSchema;
extern const Schema kJobReplySchema;
extern const Schema kDoneSchema;
extern const Schema kAuditSchema;
extern const Schema kUserSchema;
extern const Schema kHostSchema;

// Compact; what is not UTF-8 is replaced.
std::string text_of(const Json& document);
http::Response json_response(const Json& document, int status = 200);
// {"message": "done"}
http::Response done(std::string_view word = "done");
// {"id", "state", "param"} and more: a job that was just submitted.
http::Response job_reply(const model::Job& job);

// The link to Grafana; empty: none is configured.
std::string monitor_link(const Monitor& monitor, const std::string& cluster);

}  // namespace overlord::api
