// Jobs: listed, shown, and told to pause, go on, end or try again. Whoever carries jobs out reads that from the record.

#include <nlohmann/json.hpp>

#include "api/change.h"
#include "api/paging.h"
#include "api/submit.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using model::JobState;

constexpr Field kListQuery[] = {
    {.name = "state", .words = "pending,running,waiting,paused,undoing,done,failed,cancelled"},
    {.name = "kind", .words = "create,destroy,scale,resize,restart,replace,recover,drain,rebalance,configure,upgrade"},
    {.name = "cluster"},
    {.name = "group"},
    {.name = "user", .what = "Who submitted it."},
    {.name = "over", .type = FieldType::boolean, .what = "0: those that are not over; 1: those that are."},
    {.name = "steps", .type = FieldType::boolean, .what = "1: with their steps."},
};
constexpr Field kApproveFields[] = {{.name = "job_id", .what = "<group>.<20 digits>", .required = true}};
constexpr Schema kApproveSchema{"Approval", kApproveFields};
constexpr Field kApprovedFields[] = {{.name = "job", .required = true}};
constexpr Schema kApprovedSchema{"Approved", kApprovedFields};

bool is_set(std::string_view parameter) { return parameter == "1" || parameter == "true"; }

Result<http::Response> list(Call& call) {
  const auto jobs = read_all<model::Job>(call.store(), keys::kJobs);
  if (!jobs) return std::unexpected(jobs.error());
  const std::string_view over = call.request.parameter("over");
  const bool steps = is_set(call.request.parameter("steps"));
  std::vector<Json> items;
  for (const auto& [job, key, revision] : *jobs) {
    if (!asked_for(call, "state", to_string(job.state)) || !asked_for(call, "kind", to_string(job.intent.kind)) ||
        !asked_for(call, "cluster", job.intent.cluster) || !asked_for(call, "group", job.group) ||
        !asked_for(call, "user", job.user) || (!over.empty() && is_set(over) != is_over(job.state))) {
      continue;
    }
    items.push_back(view(job, steps));
  }
  return list_response(call, std::move(items), "id");
}

Result<http::Response> show(Call& call) {
  const std::string key = job_key(call.capture("id"));
  if (key.empty()) return not_found("there is no such job; an id is a group, a dot and 20 digits");
  const auto job = read<model::Job>(call.store(), key);
  if (!job) return std::unexpected(job.error());
  if (!*job) return not_found("there is no job " + call.capture("id"));
  http::Response response = json_response(view((*job)->record, true));
  response.headers.emplace_back("ETag", etag_of((*job)->revision));
  return response;
}

// What is to become of a job; an error says why that cannot be.
using Turn = Result<void> (*)(Draft&, model::Job&);

Result<http::Response> turn(Call& call, const std::string& id, Turn how, const char* word) {
  call.target = "job " + id.substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const std::string key = job_key(id);
    if (key.empty()) return not_found("there is no such job; an id is a group, a dot and 20 digits");
    auto job = draft.read<model::Job>(key);
    if (!job) return std::unexpected(job.error());
    if (!*job) return not_found("there is no job " + id);
    if (auto same = check_if_match(call.request, (*job)->revision); !same) return std::unexpected(same.error());
    model::Job& record = (*job)->record;
    const model::Job before = record;
    if (auto turned = how(draft, record); !turned) return std::unexpected(turned.error());
    if (record != before) {  // asked for already: nothing to do
      record.changed = model::now();
      draft.put(key, model::to_json(record));
    }
    return word == nullptr ? job_reply(record) : json_response({{"job", word}});
  });
}

std::unexpected<ApiError> not_now(const model::Job& job, const char* what) {
  return conflict("job " + job.id() + " is " + std::string(to_string(job.state)) + " and cannot be " + what);
}

Result<void> to_pause(Draft&, model::Job& job) {
  if (is_over(job.state) || job.state == JobState::undoing) return not_now(job, "paused");
  job.pause = true;
  return {};
}

Result<void> to_resume(Draft&, model::Job& job) {
  if (is_over(job.state) || (job.state != JobState::paused && !job.pause)) return not_now(job, "resumed");
  job.pause = false;
  return {};
}

Result<void> to_cancel(Draft&, model::Job& job) {
  if (is_over(job.state)) return not_now(job, "cancelled");
  job.cancel = true;
  job.pause = false;
  return {};
}

// A failed job begins again, if no other one has its cluster meanwhile.
Result<void> to_retry(Draft& draft, model::Job& job) {
  if (job.state != JobState::failed) return not_now(job, "tried again");
  auto cluster = draft.read<model::Cluster>(keys::cluster_info(job.intent.cluster));
  if (!cluster) return std::unexpected(cluster.error());
  if (!*cluster) return conflict("cluster " + job.intent.cluster + " is no more");
  model::Cluster& record = (*cluster)->record;
  if (!record.job.empty() && record.job != job.id()) {
    const auto other = read<model::Job>(draft.store(), job_key(record.job));
    if (!other) return std::unexpected(other.error());
    if (*other && !is_over((*other)->record.state)) {
      return refuse("busy", "job " + record.job + " changes cluster " + record.name + " now");
    }
  }
  // Where it stopped, unless somebody has changed the cluster since: then from the beginning, by a new plan.
  if (record.changed != job.ended) {
    job.steps.clear();
    job.cursor = 0;
  }
  for (model::Step& step : job.steps) step.attempts = 0;
  record.job = job.id();
  draft.put((*cluster)->key, model::to_json(record));
  job.state = JobState::pending;
  job.reason.clear();
  job.pause = false;
  job.cancel = false;
  job.ended = 0;
  ++job.retries;
  return {};
}

Result<http::Response> pause(Call& call) { return turn(call, call.capture("id"), to_pause, nullptr); }
Result<http::Response> resume(Call& call) { return turn(call, call.capture("id"), to_resume, nullptr); }
Result<http::Response> cancel(Call& call) { return turn(call, call.capture("id"), to_cancel, nullptr); }
Result<http::Response> retry(Call& call) { return turn(call, call.capture("id"), to_retry, nullptr); }
Result<http::Response> approve(Call& call) { return turn(call, call.body.text("job_id"), to_resume, "approved"); }

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/jobs",
     .what = "All jobs that are kept.",
     .handler = list,
     .answer = &kJobSchema,
     .list = true,
     .query = kListQuery},
    {.method = "GET",
     .path = "/api/v1/jobs/{id}",
     .what = "A job, with its steps.",
     .handler = show,
     .answer = &kJobSchema},
    {.method = "POST",
     .path = "/api/v1/jobs/{id}/pause",
     .what = "Asks a job to stop behind its present step.",
     .need = Need::operator_,
     .handler = pause,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/jobs/{id}/resume",
     .what = "Lets a paused job go on.",
     .need = Need::operator_,
     .handler = resume,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/jobs/{id}/cancel",
     .what = "Asks a job to end, and to take back what can be taken back.",
     .need = Need::operator_,
     .handler = cancel,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/jobs/{id}/retry",
     .what = "Has a failed job go on where it stopped.",
     .need = Need::operator_,
     .handler = retry,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/job",
     .what = "Lets a paused job go on, as the Go platform's approval.",
     .need = Need::operator_,
     .handler = approve,
     .body = &kApproveSchema,
     .answer = &kApprovedSchema},
};

}  // namespace

std::span<const Route> job_routes() { return kRoutes; }

}  // namespace overlord::api
