#include "config/diff_keys.h"

namespace overlord::config {
namespace {

using C = ClusterConfig;
using P = ProcessConfig;

std::string show(bool on) { return on ? "true" : "false"; }
std::string show(const std::string& text) { return "\"" + text + "\""; }
std::string show(uint32_t number) { return std::to_string(number); }
std::string show(uint64_t number) { return std::to_string(number); }
std::string show(milliseconds time) { return std::to_string(time.count()); }
std::string show(microseconds time) { return std::to_string(time.count()); }
std::string show(const std::vector<Address>& list) {
  std::string text = "[";
  for (const Address& address : list) {
    if (text.size() > 1) text += ", ";
    text += to_string(address);
  }
  return text + "]";
}

// A field of the configuration, or of a part of it.
template <auto Field>
std::string of(const C& c) {
  return show(c.*Field);
}
template <auto Field>
std::string limit(const C& c) {
  return show(c.limits.*Field);
}
template <auto Field>
std::string client_tls(const C& c) {
  return show(c.tls.*Field);
}
template <auto Field>
std::string backend_tls(const C& c) {
  return show(c.backend_tls.*Field);
}
template <auto Field>
std::string process(const P& p) {
  return show(p.*Field);
}

template <auto Field>
void take(P& into, const P& from) {
  into.*Field = from.*Field;
}

std::string protocol(const C& c) { return c.backend_protocol == BackendProtocol::text ? "text" : "binary"; }
std::string compat(const C& c) { return c.hash_compat == hashing::Compat::overlord ? "overlord" : "twemproxy"; }
std::string method(const C& c) { return std::string(hashing::method_name(c.hash_method)); }
std::string announce(const C& c) { return c.cluster_announce ? to_string(*c.cluster_announce) : "\"\""; }
std::string verify_client(const C& c) {
  switch (c.tls.verify_client) {
    case net::TlsVerify::none: return "none";
    case net::TlsVerify::optional: return "optional";
    case net::TlsVerify::required: return "required";
  }
  return {};
}
std::string denied(const C& c) {
  std::string text = "[";
  for (const std::string& name : c.policy.denied()) text.append(text.size() > 1 ? ", " : "").append(name);
  return text + "]";
}
std::string users(const C& c) {
  std::string text;
  for (const access::User& user : c.users.all()) text.append(user.describe()).append("\n");
  return text;
}
std::string memcache_auth(const C& c) {
  return c.memcache_user.empty() ? "" : c.memcache_user + ":" + c.memcache_password;
}

// What the client side and the backend side share is part of both; a change shows as one key, and makes the
// connections to backends anew only where they speak TLS.
std::string tls_versions(const C& c) { return c.tls.only_tls13 ? "1.3" : "1.2"; }

using N = Concern;

const DiffRow<C> kClusterRows[] = {
    {"cache_type", N::identity, [](const C& c) { return std::string(to_string(c.cache_type)); }},
    {"backend_protocol", N::connections, protocol},
    {"listen_addr", N::listeners, of<&C::listen>, false, "listen_proto"},
    {"listen_tls_addr", N::listeners, of<&C::listen_tls>},
    {"sentinels", N::sentinels, of<&C::sentinels>},
    {"sentinel_auth", N::sentinels, of<&C::sentinel_auth>, true},
    {"sentinel_tls", N::sentinels, of<&C::sentinel_tls>},
    {"cluster_announce", N::new_work, announce},
    {"cluster_proxies", N::new_work, of<&C::cluster_proxies>},
    {"hash_method", N::placement, method},
    {"hash_distribution", N::placement,
     [](const C& c) { return std::string(hashing::distribution_name(c.distribution)); }},
    {"hash_compat", N::placement, compat},
    {"hash_tag", N::placement, [](const C& c) { return show(c.hash_tag.text()); }},
    {"redis_auth", N::connections, of<&C::redis_auth>, true, "redis_auth_file"},
    {"memcache_auth", N::connections, memcache_auth, true, "memcache_auth_file"},
    {"users", N::new_work, users, true, "password password_file users_file"},
    {"shown_version", N::new_work, of<&C::shown_version>},
    {"proxy_protocol", N::new_work, of<&C::proxy_protocol>},
    {"proxy_protocol_timeout", N::new_work, of<&C::proxy_protocol_timeout>},
    {"tls_cert", N::new_work, client_tls<&net::TlsSettings::cert_file>},
    {"tls_key", N::new_work, client_tls<&net::TlsSettings::key_file>},
    {"tls_ca", N::new_work, client_tls<&net::TlsSettings::ca_file>},
    {"tls_verify_client", N::new_work, verify_client},
    {"tls_min_version", N::connections, tls_versions},
    {"tls_ciphers", N::connections, client_tls<&net::TlsSettings::ciphers>},
    {"tls_ciphersuites", N::connections, client_tls<&net::TlsSettings::ciphersuites>},
    {"tls_handshake_timeout", N::new_work, of<&C::tls_handshake_timeout>},
    {"backend_tls", N::connections, of<&C::backend_tls_on>},
    {"backend_tls_ca", N::connections, backend_tls<&net::TlsSettings::ca_file>},
    {"backend_tls_cert", N::connections, backend_tls<&net::TlsSettings::cert_file>},
    {"backend_tls_key", N::connections, backend_tls<&net::TlsSettings::key_file>},
    {"backend_tls_verify", N::connections, backend_tls<&net::TlsSettings::verify_server>},
    {"backend_tls_server_name", N::connections, of<&C::backend_tls_server_name>},
    {"dial_timeout", N::new_work, of<&C::dial_timeout>},
    {"read_timeout", N::new_work, of<&C::read_timeout>},
    {"write_timeout", N::new_work, of<&C::write_timeout>},
    {"node_connections", N::connections, of<&C::node_connections>},
    {"node_pipe_count", N::new_work, of<&C::node_pipe_count>},
    {"ping_auto_eject", N::new_work, of<&C::ping_auto_eject>},
    {"ping_fail_limit", N::new_work, of<&C::ping_fail_limit>},
    {"ping_interval", N::new_work, of<&C::ping_interval>},
    {"eject_retry_interval", N::new_work, of<&C::eject_retry_interval>},
    {"slowlog_slower_than", N::new_work, of<&C::slowlog_slower_than>},
    {"slowlog_hash_keys", N::new_work, of<&C::slowlog_hash_keys>},
    {"watch_keys", N::new_work, of<&C::watch_keys>},
    {"read_from", N::new_work, [](const C& c) { return std::string(to_string(c.read_from)); }},
    {"max_replica_lag", N::new_work, of<&C::max_replica_lag>},
    {"flush_all_enabled", N::new_work, of<&C::flush_all_enabled>},
    {"coalesce_gets", N::new_work, of<&C::coalesce_gets>},
    {"read_only", N::new_work, [](const C& c) { return show(c.policy.read_only()); }},
    {"deny_commands", N::new_work, denied},
    {"learn_commands", N::new_work, of<&C::learn_commands>},
    {"script_cache_size", N::new_work, of<&C::script_cache_size>},
    {"max_clients", N::new_work, of<&C::max_clients>},
    {"client_idle_timeout", N::new_work, of<&C::client_idle_timeout>},
    {"tcp_keepalive", N::new_work, of<&C::tcp_keepalive>},
    {"backend_tcp_keepalive", N::new_work, of<&C::backend_tcp_keepalive>},
    {"max_key_size", N::new_work, limit<&Limits::max_key_size>},
    {"max_value_size", N::new_work, limit<&Limits::max_value_size>},
    {"max_request_size", N::new_work, limit<&Limits::max_request_size>},
    {"max_arguments", N::new_work, limit<&Limits::max_arguments>},
    {"max_pipeline", N::new_work, limit<&Limits::max_pipeline>},
    {"max_client_buffer", N::new_work, limit<&Limits::max_client_buffer>},
    {"max_node_queue", N::new_work, limit<&Limits::max_node_queue>},
    {"max_leased_connections", N::new_work, limit<&Limits::max_leased_connections>},
};

const DiffRow<P> kProcessRows[] = {
    {"stat", N::restart, process<&P::stat>},
    {"stdout", N::restart, [](const P& p) { return show(p.log.to_stdout); }, false, "debug"},
    {"log", N::restart, [](const P& p) { return show(p.log.file); }},
    {"log_vl", N::restart, [](const P& p) { return show(p.log.verbosity); }},
    {"log_level", N::restart, [](const P& p) { return std::to_string(static_cast<int>(p.log.level)); }},
    {"log_format", N::restart,
     [](const P& p) { return std::string(p.log.format == LogFormat::json ? "json" : "text"); }},
    {"log_max_bytes", N::restart, [](const P& p) { return show(p.log.max_bytes); }},
    {"log_daily", N::restart, [](const P& p) { return show(p.log.daily); }},
    {"log_backup_count", N::restart, [](const P& p) { return show(p.log.backup_count); }},
    {"upgrade_socket", N::restart, process<&P::upgrade_socket>},
    {"stop_timeout", N::new_work, process<&P::stop_timeout>, false, {}, take<&P::stop_timeout>},
    {"read_timeout", N::new_work, process<&P::read_timeout>, false, {}, take<&P::read_timeout>},
    {"write_timeout", N::new_work, process<&P::write_timeout>, false, {}, take<&P::write_timeout>},
    {"max_connections", N::new_work, process<&P::max_connections>, false, {}, take<&P::max_connections>},
    {"max_accepts_per_second",
     N::new_work,
     process<&P::max_accepts_per_second>,
     false,
     {},
     take<&P::max_accepts_per_second>},
    {"max_memory", N::new_work, process<&P::max_memory>, false, {}, take<&P::max_memory>},
    {"use_metrics", N::restart, process<&P::use_metrics>},
    {"otlp_endpoint", N::restart, [](const P& p) { return show(p.otlp.endpoint); }},
    {"otlp_sample", N::restart, [](const P& p) { return show(p.otlp.sample); }},
    {"workers", N::restart, process<&P::workers>},
    {"io", N::restart, [](const P& p) { return std::string(to_string(p.io)); }},
};

}  // namespace

std::span<const DiffRow<ClusterConfig>> cluster_diff_rows() { return kClusterRows; }
std::span<const DiffRow<ProcessConfig>> process_diff_rows() { return kProcessRows; }

}  // namespace overlord::config
