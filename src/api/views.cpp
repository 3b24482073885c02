#include "api/views.h"

#include <nlohmann/json.hpp>

#include "http/client.h"
#include "model/names.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

constexpr Field kInstanceFields[] = {
    {.name = "ip", .what = "The host it runs on.", .required = true},
    {.name = "port", .type = FieldType::integer, .required = true},
    {.name = "weight", .type = FieldType::integer, .what = "On the ring; -1 in a redis_cluster.", .required = true},
    {.name = "alias", .what = "20 digits that stay when the node is replaced.", .required = true},
    {.name = "state",
     .what = "What it was last seen to be.",
     .required = true,
     .words = "unknown,starting,running,sick,failed,stopped,lost"},
    {.name = "role", .what = "As planned, in a redis_cluster: master or slave.", .required = true},
    {.name = "shard", .type = FieldType::integer, .required = true},
    {.name = "reason", .what = "Of the state, for a person.", .required = true},
    {.name = "since", .what = "When it came into this state.", .required = true},
    {.name = "restarts", .type = FieldType::integer, .what = "In place, since it last ran well.", .required = true},
    {.name = "version", .required = true},
    {.name = "cluster", .required = true},
    {.name = "node_id", .what = "Of a redis_cluster.", .required = true},
};

constexpr Field kClusterFields[] = {
    {.name = "name", .required = true},
    {.name = "appids", .type = FieldType::texts, .required = true},
    {.name = "state",
     .what = "attention: something is wrong that the platform cannot mend; see reason.",
     .required = true,
     .words = "waiting,done,changing,deleting,attention"},
    {.name = "front_end_port", .type = FieldType::integer, .what = "Where proxies serve it.", .required = true},
    {.name = "cache_type", .required = true, .words = "memcache,redis,redis_cluster"},
    {.name = "cpu",
     .type = FieldType::integer,
     .what = "Threads of a node, as the Go platform had it.",
     .required = true},
    {.name = "max_memory", .type = FieldType::number, .what = "MiB of each node.", .required = true},
    {.name = "version", .required = true},
    {.name = "number", .type = FieldType::integer, .what = "Nodes; of a redis_cluster its masters.", .required = true},
    {.name = "group", .required = true},
    {.name = "monitor", .what = "Link to its charts; empty: none is configured.", .required = true},
    {.name = "dial_timeout", .type = FieldType::integer, .what = "ms, for proxies.", .required = true},
    {.name = "read_timeout", .type = FieldType::integer, .required = true},
    {.name = "write_timeout", .type = FieldType::integer, .required = true},
    {.name = "node_connections", .type = FieldType::integer, .required = true},
    {.name = "ping_fail_limit", .type = FieldType::integer, .required = true},
    {.name = "ping_auto_eject", .type = FieldType::boolean, .required = true},
    {.name = "instances", .type = FieldType::objects, .required = true, .schema = &kInstanceSchema},
    {.name = "spec", .what = "Of each node, such as 1c2g.", .required = true},
    {.name = "total_memory", .type = FieldType::integer, .what = "MiB of all nodes, or masters.", .required = true},
    {.name = "replicas", .type = FieldType::integer, .what = "Of each master.", .required = true},
    {.name = "fault_tolerant", .type = FieldType::boolean, .required = true},
    {.name = "settings",
     .type = FieldType::text_map,
     .what = "Of the server, beside what the platform sets.",
     .required = true},
    {.name = "reason", .what = "For a person, when not all is well.", .required = true},
    {.name = "job", .what = "The one that changes it now; empty: none.", .required = true},
    {.name = "running", .type = FieldType::integer, .what = "Instances that run.", .required = true},
    {.name = "created_by", .required = true},
    {.name = "created", .required = true},
    {.name = "changed", .required = true},
};

constexpr Field kStepFields[] = {
    {.name = "kind", .required = true},
    {.name = "what", .what = "For a person.", .required = true},
    {.name = "state", .required = true, .words = "pending,running,done,failed,undone"},
    {.name = "attempts", .type = FieldType::integer, .required = true},
    {.name = "note", .what = "Why it waits or failed, or what it found.", .required = true},
    {.name = "began", .required = true},
    {.name = "ended", .required = true},
};
constexpr Schema kStepSchema{"Step", kStepFields};

constexpr Field kJobFields[] = {
    {.name = "id", .what = "<group>.<20 digits>", .required = true},
    {.name = "state", .required = true, .words = "pending,running,waiting,paused,undoing,done,failed,cancelled"},
    {.name = "param", .what = "What is wanted, as JSON in a text, as the Go platform had it.", .required = true},
    {.name = "kind",
     .required = true,
     .words = "create,destroy,scale,resize,restart,replace,recover,drain,rebalance,configure,upgrade"},
    {.name = "cluster", .required = true},
    {.name = "group", .required = true},
    {.name = "reason", .what = "Why it waits or has failed, for a person.", .required = true},
    {.name = "user", .what = "Who submitted it.", .required = true},
    {.name = "progress", .type = FieldType::integer, .what = "Percent.", .required = true},
    {.name = "eta", .what = "When it will be done; empty: not known.", .required = true},
    {.name = "pause", .type = FieldType::boolean, .what = "Somebody asks for a pause.", .required = true},
    {.name = "cancel", .type = FieldType::boolean, .what = "Somebody asks for its end.", .required = true},
    {.name = "retries", .type = FieldType::integer, .required = true},
    {.name = "created", .required = true},
    {.name = "began", .required = true},
    {.name = "ended", .required = true},
    {.name = "changed", .required = true},
    {.name = "intent", .type = FieldType::any, .what = "What is wanted.", .required = true},
    {.name = "steps", .type = FieldType::objects, .what = "Of one job, or with steps=1.", .schema = &kStepSchema},
};

constexpr Field kJobReplyFields[] = {
    {.name = "id", .what = "Of the job; follow it at /api/v1/jobs/{id}.", .required = true},
    {.name = "state", .required = true},
    {.name = "param", .required = true},
};
constexpr Field kDoneFields[] = {{.name = "message", .required = true}};

constexpr Field kAuditFields[] = {
    {.name = "number", .type = FieldType::integer, .required = true},
    {.name = "at", .required = true},
    {.name = "user", .what = "Empty: nobody was known.", .required = true},
    {.name = "from", .what = "Address of the client.", .required = true},
    {.name = "request_id", .required = true},
    {.name = "action", .required = true},
    {.name = "target", .required = true},
    {.name = "detail", .what = "The request's body without secrets, as text.", .required = true},
    {.name = "status", .type = FieldType::integer, .what = "Of the answer.", .required = true},
};

constexpr Field kUserFields[] = {
    {.name = "name", .required = true},
    {.name = "access", .required = true, .words = "viewer,operator,admin"},
    {.name = "password", .type = FieldType::boolean, .what = "Whether there is one to log in with.", .required = true},
    {.name = "created", .required = true},
};

uint64_t count_running(const ClusterView& view) {
  uint64_t running = 0;
  for (const NodeView& node : view.nodes) running += node.state.health == model::Health::running ? 1 : 0;
  return running;
}

Json intent_of(const model::Intent& intent) {
  Json out{{"kind", to_string(intent.kind)}, {"cluster", intent.cluster}};
  if (intent.shards > 0) out["number"] = intent.shards;
  if (intent.memory_mib > 0) out["memory"] = intent.memory_mib;
  if (!intent.version.empty()) out["version"] = intent.version;
  if (!intent.nodes.empty()) out["nodes"] = intent.nodes;
  if (!intent.hosts.empty()) out["hosts"] = intent.hosts;
  if (!intent.settings.empty()) {
    Json settings = Json::object();
    for (const auto& [name, value] : intent.settings) settings[name] = value;
    out["settings"] = std::move(settings);
  }
  return out;
}

}  // namespace

const Schema kClusterSchema{"Cluster", kClusterFields};
const Schema kInstanceSchema{"Instance", kInstanceFields};
const Schema kJobSchema{"Job", kJobFields};
const Schema kJobReplySchema{"JobReply", kJobReplyFields};
const Schema kDoneSchema{"Done", kDoneFields};
const Schema kAuditSchema{"AuditRecord", kAuditFields};
const Schema kUserSchema{"User", kUserFields};

Json view(const NodeView& view) {
  const model::Node& node = view.node;
  const bool slots = node.type == model::CacheType::redis_cluster;
  return {{"ip", node.host},
          {"port", node.port},
          {"weight", slots ? int64_t{-1} : int64_t{node.weight}},
          {"alias", store::keys::ordered(node.alias)},
          {"state", to_string(view.state.health)},
          {"role", !slots                             ? ""
                   : node.role == model::Role::master ? "master"
                                                      : "slave"},
          {"shard", node.shard},
          {"reason", view.state.reason},
          {"since", model::to_text(view.state.since)},
          {"restarts", view.state.restarts},
          {"version", node.version},
          {"cluster", node.cluster},
          {"node_id", node.node_id}};
}

Json view(const ClusterView& view, const Config& config) {
  const model::Cluster& cluster = view.cluster;
  constexpr uint32_t kCore = 1000;
  Json instances = Json::array();
  for (const NodeView& node : view.nodes) instances.push_back(api::view(node));
  return {{"name", cluster.name},
          {"appids", view.appids},
          {"state", to_string(cluster.state)},
          {"front_end_port", cluster.front_port},
          {"cache_type", to_string(cluster.type)},
          {"cpu", cluster.spec.cpu_milli / kCore + 1},
          {"max_memory", double(cluster.spec.memory_mib)},
          {"version", cluster.version},
          {"number", cluster.shards},
          {"group", cluster.group},
          {"monitor", monitor_link(config.monitor, cluster.name)},
          {"dial_timeout", cluster.proxy.dial_timeout},
          {"read_timeout", cluster.proxy.read_timeout},
          {"write_timeout", cluster.proxy.write_timeout},
          {"node_connections", cluster.proxy.node_connections},
          {"ping_fail_limit", cluster.proxy.ping_fail_limit},
          {"ping_auto_eject", cluster.proxy.ping_auto_eject},
          {"instances", std::move(instances)},
          {"spec", to_string(cluster.spec)},
          {"total_memory", uint64_t{cluster.spec.memory_mib} * cluster.shards},
          {"replicas", cluster.replicas},
          {"fault_tolerant", cluster.fault_tolerant},
          {"settings", Json(cluster.settings)},
          {"reason", cluster.reason},
          {"job", cluster.job},
          {"running", count_running(view)},
          {"created_by", cluster.created_by},
          {"created", model::to_text(cluster.created)},
          {"changed", model::to_text(cluster.changed)}};
}

Json view(const model::Job& job, bool steps) {
  const Json intent = intent_of(job.intent);
  Json out{{"id", job.id()},
           {"state", to_string(job.state)},
           {"param", text_of(intent)},
           {"kind", to_string(job.intent.kind)},
           {"cluster", job.intent.cluster},
           {"group", job.group},
           {"reason", job.reason},
           {"user", job.user},
           {"progress", job.percent()},
           {"eta", model::to_text(job.eta(model::now()))},
           {"pause", job.pause},
           {"cancel", job.cancel},
           {"retries", job.retries},
           {"created", model::to_text(job.created)},
           {"began", model::to_text(job.began)},
           {"ended", model::to_text(job.ended)},
           {"changed", model::to_text(job.changed)},
           {"intent", intent}};
  if (!steps) return out;
  Json list = Json::array();
  for (const model::Step& step : job.steps) {
    list.push_back({{"kind", step.kind},
                    {"what", step.what},
                    {"state", to_string(step.state)},
                    {"attempts", step.attempts},
                    {"note", step.note},
                    {"began", model::to_text(step.began)},
                    {"ended", model::to_text(step.ended)}});
  }
  out["steps"] = std::move(list);
  return out;
}

Json view(const model::AuditRecord& record) {
  return {{"number", record.number}, {"at", model::to_text(record.at)}, {"user", record.user},
          {"from", record.from},     {"request_id", record.request_id}, {"action", record.action},
          {"target", record.target}, {"detail", record.detail},         {"status", record.status}};
}

Json view(const model::User& user) {
  return {{"name", user.name},
          {"access", to_string(user.access)},
          {"password", !user.password_hash.empty()},
          {"created", model::to_text(user.created)}};
}

std::string text_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

http::Response json_response(const Json& document, int status) {
  return {.status = status, .type = "application/json; charset=utf-8", .body = text_of(document) + "\n"};
}

http::Response done(std::string_view word) { return json_response({{"message", word}}); }

http::Response job_reply(const model::Job& job) {
  return json_response({{"id", job.id()}, {"state", to_string(job.state)}, {"param", text_of(intent_of(job.intent))}});
}

std::string monitor_link(const Monitor& monitor, const std::string& cluster) {
  if (monitor.url.empty()) return {};
  std::string base = monitor.url;
  while (base.ends_with('/')) base.pop_back();
  return base + "/" + monitor.panel + "?orgId=" + std::to_string(monitor.org_id) + "&var-" + monitor.name_var + "=" +
         http::encoded(cluster);
}

}  // namespace overlord::api
