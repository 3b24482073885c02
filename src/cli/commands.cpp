#include <array>

#include "cli/command.h"

namespace overlord::cli {
namespace {

constexpr std::array kName{Field{"NAME", "name", Kind::text, "the cluster"}};
constexpr std::array kNameAppid{Field{"NAME", "name", Kind::text, "the cluster"},
                                Field{"APPID", "appid", Kind::text, "department.service"}};
constexpr std::array kNameAddress{Field{"NAME", "name", Kind::text, "the cluster"},
                                  Field{"ADDRESS", "addr", Kind::text, "the node, as IP:PORT"}};
constexpr std::array kNameAddressWeight{
    Field{"NAME", "name", Kind::text, "the cluster"}, Field{"ADDRESS", "addr", Kind::text, "the node, as IP:PORT"},
    Field{"WEIGHT", "weight", Kind::integer, "on the ring; others have 1 unless changed"}};
constexpr std::array kJob{Field{"ID", "id", Kind::text, "the job"}};
constexpr std::array kHost{Field{"HOST", "host", Kind::text, "its address"}};
constexpr std::array kAppid{Field{"APPID", "appid", Kind::text, "department.service"}};
constexpr std::array kSpec{Field{"SPEC", "spec", Kind::text, "cores and memory, such as 1c2g"}};
constexpr std::array kVersion{Field{"TYPE", "type", Kind::text, "memcache, redis or redis_cluster"},
                              Field{"VERSION", "version", Kind::text, "such as 7.0.15"}};
constexpr std::array kUser{Field{"USER", "user", Kind::text, "its name"}};
constexpr std::array kNewUser{Field{"USER", "name", Kind::text, "its name"}};
constexpr std::array kToken{Field{"ID", "id", Kind::text, "of the token, as list shows it"}};
constexpr std::array kCommand{Field{"IP", "ip", Kind::text, "the node's host"}, Field{"PORT", "port", Kind::text, ""},
                              Field{"WORD", "words", Kind::list, "the command, a word each", true}};

constexpr std::array kPaging{
    Field{"--limit", "pc", Kind::integer, "items of a page, at most 1000"},
    Field{"--page", "pn", Kind::integer, "which page, from 1"},
    Field{"--cursor", "cursor", Kind::text, "in place of --page: \"next\" of the page before (-o json)"},
    Field{"--sort", "sort", Kind::text, "a field of the items; with - in front from the highest down"}};
// All flags of a list: those of its own and those of pages.
template <size_t kCount>
consteval auto paged(std::array<Field, kCount> own) {
  std::array<Field, kCount + kPaging.size()> all{};
  for (size_t i = 0; i < kCount; ++i) all[i] = own[i];
  for (size_t i = 0; i < kPaging.size(); ++i) all[kCount + i] = kPaging[i];
  return all;
}

constexpr std::array kCreateFlags{
    Field{"--type", "cache_type", Kind::text, "memcache, redis or redis_cluster", true},
    Field{"--version", "version", Kind::text, "of the server; `overlord version list`", true},
    Field{"--group", "group", Kind::text, "of hosts; `overlord group list`", true},
    Field{"--spec", "spec", Kind::text, "of each node: cores and memory, such as 1c2g", true},
    Field{"--number", "number", Kind::integer, "nodes; of a redis_cluster its masters"},
    Field{"--total-memory", "total_memory", Kind::integer, "MiB of all nodes or masters, in place of --number"},
    Field{"--replicas", "replicas", Kind::integer, "of each master of a redis_cluster, 0 to 2 (1)"},
    Field{"--appid", "appids", Kind::list, "an application that it is for"},
    Field{"--set", "settings", Kind::map, "a setting of the server, such as maxmemory-policy=allkeys-lru"},
    Field{"--password", "password", Kind::text, "of redis nodes; made unless said"},
    Field{"--fault-tolerant", "fault_tolerant", Kind::boolean,
          "false: also where the loss of one host costs half of it or more (true)"},
    Field{"--dry-run", "dry_run", Kind::boolean, "only say where its nodes would go, and why", false, true}};
constexpr auto kClusterList = paged(std::array{Field{"--name", "name", Kind::text, "a part of the name"},
                                               Field{"--type", "cache_type", Kind::text, "only of this type"},
                                               Field{"--state", "state", Kind::text, "only in this state"},
                                               Field{"--group", "group", Kind::text, "only of this group"},
                                               Field{"--appid", "appid", Kind::text, "only those bound to it"}});
constexpr std::array kProxyFlags{
    Field{"--dial-timeout", "proxy.dial_timeout", Kind::integer, "ms"},
    Field{"--read-timeout", "proxy.read_timeout", Kind::integer, "ms"},
    Field{"--write-timeout", "proxy.write_timeout", Kind::integer, "ms"},
    Field{"--node-connections", "proxy.node_connections", Kind::integer, "to each node, of each worker"},
    Field{"--ping-fail-limit", "proxy.ping_fail_limit", Kind::integer, "failures before a node is ejected"},
    Field{"--ping-auto-eject", "proxy.ping_auto_eject", Kind::boolean, "whether nodes are ejected"},
    Field{"--fault-tolerant", "fault_tolerant", Kind::boolean, "for what is placed from now on"}};
constexpr std::array kNumberFlag{
    Field{"--number", "number", Kind::integer, "nodes, or masters, that it is to have", true}};
constexpr std::array kMemoryFlag{Field{"--memory", "memory", Kind::integer, "MiB of each node", true}};
constexpr std::array kNodesFlag{Field{"--node", "nodes", Kind::list, "only this node, as IP:PORT; all unless said"}};
constexpr std::array kSomeNodesFlag{Field{"--node", "nodes", Kind::list, "a node that moves, as IP:PORT", true}};
constexpr std::array kHostsFlag{Field{"--host", "hosts", Kind::list, "a host that is lost", true}};
constexpr std::array kSettingsFlag{
    Field{"--set", "settings", Kind::map, "a setting of the server; those not named go back to their defaults", true}};
constexpr std::array kVersionFlag{Field{"--version", "version", Kind::text, "to this one", true}};
constexpr auto kJobList =
    paged(std::array{Field{"--state", "state", Kind::text, "only in this state"},
                     Field{"--kind", "kind", Kind::text, "only of this kind, such as scale"},
                     Field{"--cluster", "cluster", Kind::text, "only of this cluster"},
                     Field{"--group", "group", Kind::text, "only of this group"},
                     Field{"--user", "user", Kind::text, "only those that this user submitted"},
                     Field{"--over", "over", Kind::boolean, "only those that are over; =false: that are not"}});
constexpr auto kHostList = paged(std::array{Field{"--group", "group", Kind::text, "only of this group"},
                                            Field{"--draining", "draining", Kind::boolean, "only these"},
                                            Field{"--lost", "lost", Kind::boolean, "only these"}});
constexpr std::array kLabelsFlag{Field{"--label", "labels", Kind::map, "such as zone=a; all that it is to have", true}};
constexpr std::array kAppidList{Field{"--format", "format", Kind::text, "plain or tree"}};
constexpr std::array kChecksumFlag{Field{"--sha256", "sha256", Kind::text, "of its archive on the file server"}};
constexpr std::array kUserFlags{Field{"--access", "access", Kind::text, "viewer, operator or admin", true},
                                Field{"--password", "password", Kind::text, "to log in with; 8 bytes or more"}};
constexpr std::array kUserChangeFlags{Field{"--access", "access", Kind::text, "viewer, operator or admin"},
                                      Field{"--password", "password", Kind::text, "empty: no login any more"}};
constexpr std::array kTokenFlags{
    Field{"--user", "user", Kind::text, "whose it is; your own unless said"},
    Field{"--access", "access", Kind::text, "viewer, operator or admin"},
    Field{"--note", "note", Kind::text, "what it is for"},
    Field{"--seconds", "seconds", Kind::integer, "how long it holds; for ever unless said"}};
constexpr std::array kLoginFlags{Field{"--user", "user", Kind::text, "who", true},
                                 Field{"--password", "password", Kind::text, "asked for unless given"}};
constexpr auto kAuditList = paged(std::array{Field{"--user", "user", Kind::text, "only of this user"},
                                             Field{"--target", "target", Kind::text, "a part of it"},
                                             Field{"--request-id", "request_id", Kind::text, "of the request"}});
constexpr std::array kConfigFlags{
    Field{"--cluster", "cluster", Kind::text, "names with commas between; all unless said"},
    Field{"--group", "group", Kind::text, "only of this group"},
    Field{"--listen", "listen", Kind::text, "the address that it listens on"}};
constexpr std::array kEventFlags{
    Field{"--types", "types", Kind::text, "with commas between: cluster, job, instance ..."},
    Field{"--cluster", "cluster", Kind::text, "only what is about it"},
    Field{"--from", "last_event_id", Kind::text, "go on behind this event"}};

constexpr std::array kClusterColumns{Column{"NAME", "name"},           Column{"TYPE", "cache_type"},
                                     Column{"VERSION", "version"},     Column{"GROUP", "group"},
                                     Column{"STATE", "state"},         Column{"NUMBER", "number"},
                                     Column{"SPEC", "spec"},           Column{"RUNNING", "running"},
                                     Column{"PORT", "front_end_port"}, Column{"JOB", "job"}};
constexpr std::array kInstanceColumns{
    Column{"IP", "ip"},           Column{"PORT", "port"},     Column{"ROLE", "role"},
    Column{"SHARD", "shard"},     Column{"WEIGHT", "weight"}, Column{"STATE", "state"},
    Column{"VERSION", "version"}, Column{"ALIAS", "alias"},   Column{"REASON", "reason"}};
constexpr std::array kJobColumns{Column{"ID", "id"},           Column{"KIND", "kind"},    Column{"CLUSTER", "cluster"},
                                 Column{"STATE", "state"},     Column{"%", "progress"},   Column{"USER", "user"},
                                 Column{"CREATED", "created"}, Column{"REASON", "reason"}};
constexpr std::array kStepColumns{Column{"STATE", "state"}, Column{"STEP", "what"}, Column{"TRIES", "attempts"},
                                  Column{"ENDED", "ended"}, Column{"NOTE", "note"}};
constexpr std::array kHostColumns{Column{"HOST", "name"},           Column{"GROUP", "group"},
                                  Column{"NODES", "instances"},     Column{"MEMORY", "memory"},
                                  Column{"USED", "used_memory"},    Column{"CPU", "cpu_milli"},
                                  Column{"USED", "used_cpu_milli"}, Column{"DRAINING", "draining"},
                                  Column{"LOST", "lost"},           Column{"LABELS", "labels"}};
constexpr std::array kTextColumn{Column{"", ""}};
constexpr std::array kVersionColumns{Column{"TYPE", "cache_type"}, Column{"VERSIONS", "versions"}};
constexpr std::array kGroupColumns{Column{"GROUP", "name"}, Column{"NAME", "name_cn"}};
constexpr std::array kUserColumns{Column{"USER", "name"}, Column{"ACCESS", "access"}, Column{"PASSWORD", "password"},
                                  Column{"CREATED", "created"}};
constexpr std::array kTokenColumns{Column{"ID", "id"},     Column{"USER", "user"},       Column{"ACCESS", "access"},
                                   Column{"NOTE", "note"}, Column{"CREATED", "created"}, Column{"ENDS", "ends"}};
constexpr std::array kAuditColumns{Column{"AT", "at"},         Column{"USER", "user"},     Column{"FROM", "from"},
                                   Column{"ACTION", "action"}, Column{"TARGET", "target"}, Column{"STATUS", "status"}};
constexpr std::array kProxyColumns{Column{"PROXY", "name"}, Column{"ADDRESS", "address"}, Column{"STAT", "stat"},
                                   Column{"CLUSTERS", "clusters"}};

// clang-format off
constexpr Command kCommands[] = {
    {"cluster", "create", "make a cluster", "POST", "/api/v1/clusters", kName, kCreateFlags, Answer::job},
    {"cluster", "list", "all clusters", "GET", "/api/v1/clusters", {}, kClusterList, Answer::rows, kClusterColumns},
    {"cluster", "show", "a cluster, with its nodes", "GET", "/api/v1/clusters/{name}", kName, {}, Answer::sheet,
     kInstanceColumns, "instances"},
    {"cluster", "delete", "delete a cluster that no application is bound to, with its data", "DELETE",
     "/api/v1/clusters/{name}", kName, {}, Answer::job, {}, {}, true},
    {"cluster", "scale", "give it more or fewer nodes", "POST", "/api/v1/clusters/{name}/scale", kName, kNumberFlag,
     Answer::job},
    {"cluster", "resize", "give its nodes more or less memory", "POST", "/api/v1/clusters/{name}/resize", kName,
     kMemoryFlag, Answer::job},
    {"cluster", "restart", "restart its nodes, one after the other", "POST", "/api/v1/clusters/{name}/restart", kName,
     kNodesFlag, Answer::job},
    {"cluster", "replace", "give nodes new places", "POST", "/api/v1/clusters/{name}/replace", kName, kSomeNodesFlag,
     Answer::job},
    {"cluster", "recover", "replace what was on lost hosts", "POST", "/api/v1/clusters/{name}/recover", kName,
     kHostsFlag, Answer::job},
    {"cluster", "rebalance", "bring roles and slots to where they are planned", "POST",
     "/api/v1/clusters/{name}/rebalance", kName, {}, Answer::job},
    {"cluster", "configure", "change settings of its servers", "POST", "/api/v1/clusters/{name}/configure", kName,
     kSettingsFlag, Answer::job},
    {"cluster", "upgrade", "bring its servers to another version", "POST", "/api/v1/clusters/{name}/upgrade", kName,
     kVersionFlag, Answer::job},
    {"cluster", "change", "change what its proxies are told, at once", "PATCH", "/api/v1/clusters/{name}", kName,
     kProxyFlags, Answer::sheet},
    {"cluster", "bind", "bind an application to it", "POST", "/api/v1/clusters/{name}/appid", kNameAppid},
    {"cluster", "unbind", "unbind an application from it", "DELETE", "/api/v1/clusters/{name}/appid", kNameAppid},
    {"node", "list", "the nodes of a cluster", "GET", "/api/v1/clusters/{name}/instances", kName, kPaging, Answer::rows,
     kInstanceColumns},
    {"node", "weight", "set its weight on the ring, at once", "PATCH", "/api/v1/clusters/{name}/instances/{addr}",
     kNameAddressWeight},
    {"node", "restart", "restart it", "POST", "/api/v1/clusters/{name}/instances/{addr}/restart", kNameAddress, {},
     Answer::job},
    {"node", "replace", "give it a new place", "POST", "/api/v1/clusters/{name}/instances/{addr}/replace", kNameAddress,
     {}, Answer::job},
    {"node", "command", "send a command to a redis node", "POST", "/api/v1/commands/{ip}/{port}", kCommand, {},
     Answer::text},
    {"job", "list", "all jobs that are kept", "GET", "/api/v1/jobs", {}, kJobList, Answer::rows, kJobColumns},
    {"job", "show", "a job, with its steps", "GET", "/api/v1/jobs/{id}", kJob, {}, Answer::sheet, kStepColumns, "steps"},
    {"job", "pause", "stop it behind its present step", "POST", "/api/v1/jobs/{id}/pause", kJob, {}, Answer::job},
    {"job", "resume", "let it go on", "POST", "/api/v1/jobs/{id}/resume", kJob, {}, Answer::job},
    {"job", "cancel", "end it, and take back what can be taken back", "POST", "/api/v1/jobs/{id}/cancel", kJob, {},
     Answer::job},
    {"job", "retry", "have a failed one go on where it stopped", "POST", "/api/v1/jobs/{id}/retry", kJob, {},
     Answer::job},
    {"host", "list", "all hosts, with what nodes reserve of them", "GET", "/api/v1/hosts", {}, kHostList, Answer::rows,
     kHostColumns},
    {"host", "show", "a host", "GET", "/api/v1/hosts/{host}", kHost, {}, Answer::sheet},
    {"host", "label", "give it other labels", "PATCH", "/api/v1/hosts/{host}", kHost, kLabelsFlag, Answer::sheet},
    {"host", "drain", "move its nodes elsewhere, and put no new ones there", "POST", "/api/v1/hosts/{host}/drain",
     kHost, {}, Answer::sheet},
    {"host", "undrain", "put it to use again", "POST", "/api/v1/hosts/{host}/undrain", kHost},
    {"appid", "list", "all applications", "GET", "/api/v1/appids", {}, kAppidList, Answer::rows, kTextColumn},
    {"appid", "create", "make an application", "POST", "/api/v1/appids", kAppid},
    {"appid", "show", "an application, with its clusters", "GET", "/api/v1/appids/{appid}", kAppid, {}, Answer::sheet},
    {"appid", "delete", "delete one that is bound to nothing", "DELETE", "/api/v1/appids/{appid}", kAppid},
    {"spec", "list", "sizes of nodes to choose from", "GET", "/api/v1/specs", {}, kPaging, Answer::rows, kTextColumn},
    {"spec", "add", "add a size", "POST", "/api/v1/specs", kSpec},
    {"spec", "delete", "take a size away", "DELETE", "/api/v1/specs/{spec}", kSpec},
    {"version", "list", "versions that clusters may have", "GET", "/api/v1/versions", {}, kPaging, Answer::rows,
     kVersionColumns},
    {"version", "add", "add a version, or change its checksum", "PUT", "/api/v1/versions/{type}/{version}", kVersion,
     kChecksumFlag},
    {"version", "delete", "take one away that no cluster has", "DELETE", "/api/v1/versions/{type}/{version}", kVersion},
    {"group", "list", "groups of hosts", "GET", "/api/v1/groups", {}, kPaging, Answer::rows, kGroupColumns},
    {"user", "list", "all users", "GET", "/api/v1/users", {}, kPaging, Answer::rows, kUserColumns},
    {"user", "create", "make a user", "POST", "/api/v1/users", kNewUser, kUserFlags, Answer::sheet},
    {"user", "change", "change a user's access or password", "PATCH", "/api/v1/users/{user}", kUser, kUserChangeFlags,
     Answer::sheet},
    {"user", "delete", "delete a user, with its tokens", "DELETE", "/api/v1/users/{user}", kUser, {}, Answer::word, {},
     {}, true},
    {"user", "login", "a token for a user and its password", "POST", "/api/v1/login", {}, kLoginFlags, Answer::sheet},
    {"user", "logout", "end the token that is shown", "POST", "/api/v1/logout"},
    {"user", "me", "whose token it is", "GET", "/api/v1/me", {}, {}, Answer::sheet},
    {"token", "list", "your tokens; for admins those of all", "GET", "/api/v1/tokens", {}, kPaging, Answer::rows,
     kTokenColumns},
    {"token", "create", "make a token; it is shown once", "POST", "/api/v1/tokens", {}, kTokenFlags, Answer::sheet},
    {"token", "delete", "end a token", "DELETE", "/api/v1/tokens/{id}", kToken},
    {"audit", "list", "who did what, and what was refused", "GET", "/api/v1/audit", {}, kAuditList, Answer::rows,
     kAuditColumns},
    {"proxy", "list", "proxies that follow the platform", "GET", "/api/v1/proxies", {}, kPaging, Answer::rows,
     kProxyColumns},
    {"proxy", "config", "the cluster file of a proxy, with passwords", "GET", "/api/v1/proxies/config", {}, kConfigFlags,
     Answer::text},
    {"event", "follow", "what changes, as it happens", "GET", "/api/v1/events", {}, kEventFlags, Answer::stream},
};
// clang-format on

struct NounHelp {
  std::string_view noun;
  std::string_view what;
};
constexpr NounHelp kNouns[] = {{"cluster", "clusters: make, scale, change and delete them"},
                               {"node", "the nodes of clusters"},
                               {"job", "changes under way, and those that were"},
                               {"host", "machines that nodes run on"},
                               {"appid", "applications"},
                               {"spec", "sizes of nodes"},
                               {"version", "versions of servers"},
                               {"group", "groups of hosts"},
                               {"user", "users, and logging in"},
                               {"token", "tokens, which open the API"},
                               {"audit", "who did what"},
                               {"proxy", "proxies that follow the platform"},
                               {"event", "what changes"}};

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::string_view noun_help(std::string_view noun) {
  for (const NounHelp& each : kNouns) {
    if (each.noun == noun) return each.what;
  }
  return {};
}

}  // namespace overlord::cli
