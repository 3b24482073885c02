// The configuration that is in force, with the names of its keys where there is one. Passwords are shown as "(set)".

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "admin/json_response.h"
#include "admin/views.h"
#include "config/diff_keys.h"

namespace overlord::admin {
namespace {

using Json = nlohmann::ordered_json;

Json secret(const std::string& value) { return value.empty() ? "" : "(set)"; }

Json addresses(const std::vector<config::Address>& list) {
  Json out = Json::array();
  for (const config::Address& address : list) out.push_back(config::to_string(address));
  return out;
}

Json tls_json(const net::TlsSettings& tls) {
  return {{"cert", tls.cert_file}, {"key", tls.key_file}, {"ca", tls.ca_file}};
}

Json limits_json(const config::Limits& limits) {
  return {{"max_key_size", limits.max_key_size},         {"max_value_size", limits.max_value_size},
          {"max_request_size", limits.max_request_size}, {"max_arguments", limits.max_arguments},
          {"max_pipeline", limits.max_pipeline},         {"max_client_buffer", limits.max_client_buffer},
          {"max_node_queue", limits.max_node_queue},     {"max_leased_connections", limits.max_leased_connections}};
}

// Every other key, by the rows that a reload compares, so that a new key is shown without a line here.
template <typename Config>
void add_rest(Json& out, std::span<const config::DiffRow<Config>> rows, const Config& of) {
  for (const config::DiffRow<Config>& row : rows) {
    const std::string key(row.key);
    if (out.contains(key) || (out.contains("limits") && out["limits"].contains(key))) continue;
    const std::string text = row.text(of);
    const Json value = Json::parse(text, nullptr, false);
    const bool plain = value.is_number() || value.is_boolean() || value.is_string();
    out[key] = row.secret ? secret(text) : plain ? value : Json(text);
  }
}

Json cluster_json(const config::ClusterConfig& c) {
  Json servers = Json::array();
  for (const config::ServerConfig& server : c.servers) {
    servers.push_back(
        {{"address", config::to_string(server.address)}, {"weight", server.weight}, {"alias", server.alias}});
  }
  Json users = Json::array();  // names only: rules hold digests of passwords
  for (const access::User& user : c.users.all()) users.push_back(user.name());
  Json out = {{"name", c.name},
              {"cache_type", config::to_string(c.cache_type)},
              {"listen_addr", addresses(c.listen)},
              {"listen_tls_addr", addresses(c.listen_tls)},
              {"hash_method", hashing::method_name(c.hash_method)},
              {"servers", servers},
              {"node_connections", c.node_connections},
              {"dial_timeout", c.dial_timeout.count()},
              {"read_timeout", c.read_timeout.count()},
              {"write_timeout", c.write_timeout.count()},
              {"ping_auto_eject", c.ping_auto_eject},
              {"ping_fail_limit", c.ping_fail_limit},
              {"ping_interval", c.ping_interval.count()},
              {"eject_retry_interval", c.eject_retry_interval.count()},
              {"slowlog_slower_than", c.slowlog_slower_than.count()},
              {"read_from", config::to_string(c.read_from)},
              {"flush_all_enabled", c.flush_all_enabled},
              {"read_only", c.policy.read_only()},
              {"coalesce_gets", c.coalesce_gets},
              {"learn_commands", c.learn_commands},
              {"script_cache_size", c.script_cache_size},
              {"proxy_protocol", c.proxy_protocol},
              {"password", secret(c.password)},
              {"redis_auth", secret(c.redis_auth)},
              {"memcache_auth", secret(c.memcache_password)},
              {"sentinels", addresses(c.sentinels)},
              {"sentinel_auth", secret(c.sentinel_auth)},
              {"users", users},
              {"tls", tls_json(c.tls)},
              {"backend_tls", c.backend_tls_on ? tls_json(c.backend_tls) : Json(nullptr)},
              {"limits", limits_json(c.limits)}};
  add_rest(out, config::cluster_diff_rows(), c);
  return out;
}

}  // namespace

http::Response config_page(const proxy::Proxy& proxy) {
  const config::Configuration running = proxy.configuration();
  const config::ProcessConfig& process = *running.process;
  Json page = {{"version", OVERLORD_VERSION},
               {"process",
                {{"stat", process.stat},
                 {"log", process.log.file},
                 {"log_level", to_string(process.log.level)},
                 {"log_vl", process.log.verbosity},
                 {"read_timeout", process.read_timeout.count()},
                 {"write_timeout", process.write_timeout.count()},
                 {"max_connections", process.max_connections},
                 {"use_metrics", process.use_metrics},
                 {"stop_timeout", process.stop_timeout.count()},
                 {"otlp_endpoint", process.otlp.endpoint},
                 {"otlp_sample", process.otlp.sample},
                 {"workers", config::resolved_workers(process)},
                 {"io", config::to_string(process.io)}}}};
  add_rest(page["process"], config::process_diff_rows(), process);
  Json clusters = Json::array();
  for (const config::ClusterSnapshot& cluster : running.clusters) clusters.push_back(cluster_json(*cluster));
  page["clusters"] = clusters;
  return json_response(page);
}

}  // namespace overlord::admin
