// The rows of the cluster file (-cluster). Rows without a setter depend on other keys: cluster_reader.cpp
// reads them.
#include <algorithm>
#include <limits>

#include "config/keys.h"
#include "config/reporter.h"

namespace overlord::config {

namespace {

using C = ClusterConfig;

constexpr int64_t kMostMilliseconds = std::numeric_limits<int32_t>::max();

Verdict set_cache_type(C& cluster, const std::string& text) {
  for (CacheType type : {CacheType::memcache, CacheType::memcache_binary, CacheType::redis, CacheType::redis_cluster}) {
    if (to_string(type) != text) continue;
    cluster.cache_type = type;
    return {};
  }
  return Complaint{"unknown type " + quoted(text), "use one of memcache, memcache_binary, redis, redis_cluster"};
}

Verdict set_read_from(C& cluster, const std::string& text) {
  for (ReadFrom policy : {ReadFrom::master, ReadFrom::replica, ReadFrom::prefer_replica, ReadFrom::nearest}) {
    if (to_string(policy) != text) continue;
    cluster.read_from = policy;
    return {};
  }
  return Complaint{"unknown policy " + quoted(text), "use one of master, replica, prefer_replica, nearest"};
}

Verdict set_backend_protocol(C& cluster, const std::string& text) {
  if (text == "text") {
    cluster.backend_protocol = BackendProtocol::text;
  } else if (text == "binary") {
    cluster.backend_protocol = BackendProtocol::binary;
  } else {
    return Complaint{"unknown protocol " + quoted(text), "use text or binary"};
  }
  return {};
}

Verdict set_hash_method(C& cluster, const std::string& text) {
  if (text.empty() || text == "fnv1a64") return {};  // what the Go program called its default
  const auto method = hashing::parse_method(text);
  if (!method)
    return Complaint{"unknown method " + quoted(text),
                     "use one of " + method_names() + " (the Go program took fnv1a_64 for a name it did not know)"};
  cluster.hash_method = *method;
  return {};
}

Verdict set_hash_distribution(C& cluster, const std::string& text) {
  if (text.empty()) return {};
  const auto distribution = hashing::parse_distribution(text);
  if (!distribution)
    return Complaint{"unknown distribution " + quoted(text),
                     "use one of ketama, modula, random (the Go program used ketama whatever stood here)"};
  cluster.distribution = *distribution;
  return {};
}

Verdict set_hash_compat(C& cluster, const std::string& text) {
  if (text == "overlord") {
    cluster.hash_compat = hashing::Compat::overlord;
  } else if (text == "twemproxy") {
    cluster.hash_compat = hashing::Compat::twemproxy;
  } else {
    return Complaint{"unknown mode " + quoted(text), "use overlord or twemproxy"};
  }
  return {};
}

Verdict set_redis_auth(C& cluster, const std::string& text) {
  cluster.redis_auth = text;
  return {};
}

Verdict set_cluster_announce(C& cluster, const std::string& text) {
  if (text.empty()) return {};
  auto address = parse_backend_address(text);
  if (!address || address->kind != Address::Kind::tcp)
    return Complaint{quoted(text) + ": " + (address ? "not HOST:PORT" : address.error().message),
                     "write what clients connect to, like 10.0.0.1:26379"};
  cluster.cluster_announce = std::move(*address);
  return {};
}

Verdict set_sentinel_auth(C& cluster, const std::string& text) {
  cluster.sentinel_auth = text;
  return {};
}

Verdict set_verify_client(C& cluster, const std::string& text) {
  if (text == "none") {
    cluster.tls.verify_client = net::TlsVerify::none;
  } else if (text == "optional") {
    cluster.tls.verify_client = net::TlsVerify::optional;
  } else if (text == "required") {
    cluster.tls.verify_client = net::TlsVerify::required;
  } else {
    return Complaint{"unknown mode " + quoted(text), "use none, optional or required"};
  }
  return {};
}

Verdict set_tls_min_version(C& cluster, const std::string& text) {
  if (text != "1.2" && text != "1.3")
    return Complaint{quoted(text) + " is not a version that this proxy speaks", "use 1.2 or 1.3"};
  cluster.tls.only_tls13 = cluster.backend_tls.only_tls13 = text == "1.3";
  return {};
}

// A text that is taken as it is.
template <auto Field>
Verdict set_tls_text(C& cluster, const std::string& text) {
  cluster.tls.*Field = text;
  return {};
}
template <auto Field>
Verdict set_backend_tls_text(C& cluster, const std::string& text) {
  cluster.backend_tls.*Field = text;
  return {};
}
template <auto Field>
Verdict set_both_tls_texts(C& cluster, const std::string& text) {
  cluster.tls.*Field = cluster.backend_tls.*Field = text;
  return {};
}

Verdict set_backend_server_name(C& cluster, const std::string& text) {
  cluster.backend_tls_server_name = text;
  return {};
}

Verdict set_password(C& cluster, const std::string& text) {
  cluster.password = text;
  return {};
}

Verdict set_shown_version(C& cluster, const std::string& text) {
  const bool good = std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (!good || (!text.empty() && (text.front() == '.' || text.back() == '.'))) {
    return Complaint{"not a version: " + quoted(text), "write numbers and points, for instance 7.0.15"};
  }
  cluster.shown_version = text;
  return {};
}

// clang-format off
const Key<C> kKeys[] = {
    {{.section = Section::cluster, .name = "name", .type = "string", .default_value = "-",
      .doc = "What logs and metrics call this cluster; must be unique. Without one it is called cluster-N, "
             "N being its place in the file."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "cache_type", .type = "string", .default_value = "-",
      .doc = "memcache (text, meta and binary: a client's first byte tells), memcache_binary (binary clients only), "
             "redis or redis_cluster. Required."},
     set_cache_type},
    {{.section = Section::cluster, .name = "backend_protocol", .type = "string", .default_value = "\"text\"",
      .doc = "memcache: what the backends are spoken to in: text (with the meta commands) or binary, for servers that "
             "take nothing else (memcached -B binary). Clients may use any protocol with either. For memcache_binary the "
             "default is binary, as the Go program spoke to its backends."},
     set_backend_protocol},
    {{.section = Section::cluster, .name = "listen_proto", .type = "string", .default_value = "\"tcp\"",
      .doc = "tcp or unix: how listen_addr is read."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "listen_addr", .type = "string or array of strings", .default_value = "-",
      .doc = "Where clients connect: IP:PORT, [IP6]:PORT, NAME:PORT, :PORT or PORT (both: every IPv4 address), "
             "[::]:PORT; with listen_proto unix a path; unix:/PATH with either. Required."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "servers", .type = "array of strings", .default_value = "-",
      .doc = "The backends: HOST:PORT:WEIGHT or HOST:PORT:WEIGHT ALIAS; for redis_cluster seeds HOST:PORT. "
             "HOST is a name, an IPv4 address or [IP6]; /PATH or unix:/PATH in place of HOST:PORT is a unix socket. "
             "All lines have an alias or none has. Required."},
     std::monostate{}},

    {{.section = Section::cluster, .name = "sentinels", .type = "array of strings", .default_value = "-",
      .doc = "Redis Sentinels, HOST:PORT each, that know where the masters are (redis)."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "masters", .type = "array of strings", .default_value = "-",
      .doc = "In place of servers: the masters by the names that the Sentinels have for them: NAME, NAME:WEIGHT or "
             "NAME:WEIGHT ALIAS. The ring knows a master by its alias or name, so a failover moves no key."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "sentinel_auth", .type = "string", .default_value = "\"\"",
      .doc = "Password for the Sentinels."},
     set_sentinel_auth},
    {{.section = Section::cluster, .name = "sentinel_tls", .type = "boolean", .default_value = "-",
      .doc = "Speak TLS with the Sentinels, with the files and checks of the backend_tls_ keys. Absent: as backend_tls."},
     [](C& c, bool on) { c.sentinel_tls = on; }},

    {{.section = Section::cluster, .name = "cluster_announce", .type = "string", .default_value = "\"\"",
      .doc = "HOST:PORT at which cluster clients reach this proxy; CLUSTER SLOTS and its like show it as a master. Empty: "
             "for redis_cluster the address that the client reached; for redis CLUSTER is an error, as from a server "
             "without cluster support."},
     set_cluster_announce},
    {{.section = Section::cluster, .name = "cluster_proxies", .type = "array of strings", .default_value = "-",
      .doc = "HOST:PORT of every proxy before the same backends, the same list for each: cluster clients see them as "
             "masters that share the slots."},
     std::monostate{}},

    {{.section = Section::cluster, .name = "hash_method", .type = "string", .default_value = "\"fnv1a_64\"",
      .doc = "How a key becomes a number: fnv1a_64, fnv1_64, fnv1a_32, fnv1_32, crc16, crc32, crc32a, md5, "
             "one_on_time (or one_at_a_time), hsieh, murmur, jenkins."},
     set_hash_method},
    {{.section = Section::cluster, .name = "hash_distribution", .type = "string", .default_value = "\"ketama\"",
      .doc = "How the number chooses a backend: ketama, modula or random."},
     set_hash_distribution},
    {{.section = Section::cluster, .name = "hash_compat", .type = "string", .default_value = "\"overlord\"",
      .doc = "Whose placement of keys to repeat exactly where the two differ: overlord or twemproxy."},
     set_hash_compat},
    {{.section = Section::cluster, .name = "hash_tag", .type = "string", .default_value = "\"{}\"",
      .doc = "Two bytes: only what stands between them in a key is hashed. \"none\" switches tags off. An empty text "
             "means \"{}\" under hash_compat overlord, off under twemproxy; absent means the same as empty."},
     std::monostate{}},

    {{.section = Section::cluster, .name = "redis_auth", .type = "string", .default_value = "\"\"",
      .doc = "Password for the backends (redis)."},
     set_redis_auth},
    {{.section = Section::cluster, .name = "password", .type = "string", .default_value = "\"\"",
      .doc = "Clients must give this password before anything else, as user default: with AUTH (redis), SASL PLAIN "
             "(memcache binary) or a set of any key whose value is \"default PASSWORD\" (memcache text). Empty: not "
             "asked."},
     set_password},
    {{.section = Section::cluster, .name = "redis_auth_file", .type = "string", .default_value = "\"\"",
      .doc = "File whose first line is the password for the backends, in place of redis_auth."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "memcache_auth", .type = "string", .default_value = "\"\"",
      .doc = "USER:PASSWORD for the backends (memcache), as a line of the file of memcached -Y: sent by a set in text, by "
             "SASL PLAIN in binary (backend_protocol)."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "memcache_auth_file", .type = "string", .default_value = "\"\"",
      .doc = "File whose first line is USER:PASSWORD for the backends, in place of memcache_auth."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "password_file", .type = "string", .default_value = "\"\"",
      .doc = "File whose first line is the clients' password, in place of password."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "users", .type = "array of strings", .default_value = "-",
      .doc = "Who may do what: one line a user, as in an ACL file of redis; see Users."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "users_file", .type = "string", .default_value = "\"\"",
      .doc = "File with more such lines; an ACL file of redis may be used as it is."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "shown_version", .type = "string", .default_value = "\"\"",
      .doc = "What HELLO and INFO call the server's version (redis). Clients switch features by it. Empty: the lowest "
             "version among the backends, as they say it themselves; 7.0.0 until one has said it."},
     set_shown_version},

    {{.section = Section::cluster, .name = "proxy_protocol", .type = "boolean", .default_value = "false",
      .doc = "Every client connection, with TLS too, begins with a PROXY protocol header, version 1 or 2, as a load "
             "balancer writes it; the addresses in it are taken for the client's. Whoever reaches the port can claim any "
             "address, so let only the load balancer reach it."},
     [](C& c, bool on) { c.proxy_protocol = on; }},
    {{.section = Section::cluster, .name = "proxy_protocol_timeout", .type = "integer", .default_value = "5000",
      .unit = "ms", .lowest = 100, .highest = 3'600'000,
      .doc = "A connection whose PROXY header is not whole within this time is closed."},
     [](C& c, int64_t ms) { c.proxy_protocol_timeout = milliseconds(ms); }},

    {{.section = Section::cluster, .name = "listen_tls_addr", .type = "string or array of strings",
      .default_value = "-",
      .doc = "Where clients connect with TLS, in the forms of listen_addr; needs tls_cert and tls_key. With it "
             "listen_addr may be absent."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "tls_cert", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the proxy's certificate for clients and the chain behind it."},
     set_tls_text<&net::TlsSettings::cert_file>},
    {{.section = Section::cluster, .name = "tls_key", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the key of tls_cert, without a passphrase."},
     set_tls_text<&net::TlsSettings::key_file>},
    {{.section = Section::cluster, .name = "tls_ca", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the authorities whose certificates clients may show."},
     set_tls_text<&net::TlsSettings::ca_file>},
    {{.section = Section::cluster, .name = "tls_verify_client", .type = "string", .default_value = "\"none\"",
      .doc = "Whether clients must show a certificate signed by tls_ca: none (not asked), optional (checked when shown) or "
             "required."},
     set_verify_client},
    {{.section = Section::cluster, .name = "tls_min_version", .type = "string", .default_value = "\"1.2\"",
      .doc = "Oldest TLS version, for clients and for backends: 1.2 or 1.3."},
     set_tls_min_version},
    {{.section = Section::cluster, .name = "tls_ciphers", .type = "string", .default_value = "\"\"",
      .doc = "Ciphers of TLS 1.2 as OpenSSL lists them, for clients and for backends. Empty: OpenSSL's default."},
     set_both_tls_texts<&net::TlsSettings::ciphers>},
    {{.section = Section::cluster, .name = "tls_ciphersuites", .type = "string", .default_value = "\"\"",
      .doc = "Cipher suites of TLS 1.3 with colons between, for clients and for backends. Empty: OpenSSL's default."},
     set_both_tls_texts<&net::TlsSettings::ciphersuites>},
    {{.section = Section::cluster, .name = "tls_handshake_timeout", .type = "integer", .default_value = "10000",
      .unit = "ms", .lowest = 100, .highest = 3'600'000,
      .doc = "A client that has not completed its handshake within this time is closed."},
     [](C& c, int64_t ms) { c.tls_handshake_timeout = milliseconds(ms); }},
    {{.section = Section::cluster, .name = "backend_tls", .type = "boolean", .default_value = "false",
      .doc = "Speak TLS with all backends of this cluster."},
     [](C& c, bool on) { c.backend_tls_on = on; }},
    {{.section = Section::cluster, .name = "backend_tls_ca", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the authorities that may have signed the backends' certificates. Empty: those of the system."},
     set_backend_tls_text<&net::TlsSettings::ca_file>},
    {{.section = Section::cluster, .name = "backend_tls_cert", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the certificate that the proxy shows to backends (mutual TLS)."},
     set_backend_tls_text<&net::TlsSettings::cert_file>},
    {{.section = Section::cluster, .name = "backend_tls_key", .type = "string", .default_value = "\"\"",
      .doc = "PEM file with the key of backend_tls_cert."},
     set_backend_tls_text<&net::TlsSettings::key_file>},
    {{.section = Section::cluster, .name = "backend_tls_verify", .type = "boolean", .default_value = "true",
      .doc = "Check the backends' certificates. Without, anybody in between can read and change everything."},
     [](C& c, bool on) { c.backend_tls.verify_server = on; }},
    {{.section = Section::cluster, .name = "backend_tls_server_name", .type = "string", .default_value = "\"\"",
      .doc = "Name asked for (SNI) and looked for in the backends' certificates. Empty: the host of each server's line, "
             "a name or an address."},
     set_backend_server_name},

    {{.section = Section::cluster, .name = "dial_timeout", .type = "integer", .default_value = "1000", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "Longest wait for a connection to a backend; 0: as long as the kernel tries."},
     [](C& c, int64_t ms) { c.dial_timeout = milliseconds(ms); }},
    {{.section = Section::cluster, .name = "read_timeout", .type = "integer", .default_value = "1000", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "Longest wait for a backend's reply; then the client gets an error. 0: for ever."},
     [](C& c, int64_t ms) { c.read_timeout = milliseconds(ms); }},
    {{.section = Section::cluster, .name = "write_timeout", .type = "integer", .default_value = "1000", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "A backend that takes no bytes for this long is given up; 0: never."},
     [](C& c, int64_t ms) { c.write_timeout = milliseconds(ms); }},

    {{.section = Section::cluster, .name = "node_connections", .type = "integer", .default_value = "2", .lowest = 0,
      .highest = 1024,
      .doc = "Connections of each worker to each backend; 0: the default. What a client has in flight at a backend uses "
             "one of them, so its requests keep their order."},
     [](C& c, int64_t count) { if (count != 0) c.node_connections = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "node_pipe_count", .type = "integer", .default_value = "32", .lowest = 0,
      .highest = 1'000'000,
      .doc = "Where max_node_queue is absent it becomes this number squared times 16, at least 1024; 0: the default. "
             "It bounds nothing else: a batch is what waits."},
     [](C& c, int64_t count) { if (count != 0) c.node_pipe_count = static_cast<uint32_t>(count); }},

    {{.section = Section::cluster, .name = "ping_auto_eject", .type = "boolean", .default_value = "false",
      .doc = "Probe the backends and take one that fails out of the ring until it answers again."},
     [](C& c, bool on) { c.ping_auto_eject = on; }},
    {{.section = Section::cluster, .name = "ping_fail_limit", .type = "integer", .default_value = "3", .lowest = 0,
      .highest = 1'000'000, .doc = "Failures in a row that eject a backend; 0: the default."},
     [](C& c, int64_t count) { if (count != 0) c.ping_fail_limit = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "ping_interval", .type = "integer", .default_value = "1000", .unit = "ms",
      .lowest = 10, .highest = 3'600'000, .doc = "Between two probes of a backend in the ring."},
     [](C& c, int64_t ms) { c.ping_interval = milliseconds(ms); }},
    {{.section = Section::cluster, .name = "eject_retry_interval", .type = "integer", .default_value = "3000",
      .unit = "ms", .lowest = 10, .highest = 3'600'000,
      .doc = "Between two probes of an ejected backend; the first that succeeds puts it back."},
     [](C& c, int64_t ms) { c.eject_retry_interval = milliseconds(ms); }},

    {{.section = Section::cluster, .name = "slowlog_slower_than", .type = "integer", .default_value = "0",
      .unit = "us", .lowest = 0, .highest = 1'000'000'000'000,
      .doc = "Requests that take longer go to the slow log; 0: off. The flag -slower-than overrides it for every "
             "cluster."},
     [](C& c, int64_t us) { c.slowlog_slower_than = microseconds(us); }},
    {{.section = Section::cluster, .name = "slowlog_hash_keys", .type = "boolean", .default_value = "false",
      .doc = "The slow log shows a number for a key instead of the key; the same key has the same number until the proxy "
             "is started again."},
     [](C& c, bool on) { c.slowlog_hash_keys = on; }},
    {{.section = Section::cluster, .name = "watch_keys", .type = "boolean", .default_value = "true",
      .doc = "Hot and big keys are watched for: GET /hotkeys and /bigkeys at the HTTP address."},
     [](C& c, bool on) { c.watch_keys = on; }},

    {{.section = Section::cluster, .name = "read_from", .type = "string", .default_value = "\"master\"",
      .doc = "redis_cluster: where commands that only read go: master; replica (an error when no replica can serve); "
             "prefer_replica (else the master); nearest (of all nodes of the slot, by the time of a PING)."},
     set_read_from},
    {{.section = Section::cluster, .name = "max_replica_lag", .type = "integer", .default_value = "10485760",
      .unit = "bytes", .lowest = 0, .highest = 1LL << 40,
      .doc = "redis_cluster: a replica that is further behind its master is not read from. By what CLUSTER SHARDS tells, "
             "asked about every second; 0: however far."},
     [](C& c, int64_t bytes) { c.max_replica_lag = static_cast<uint64_t>(bytes); }},

    {{.section = Section::cluster, .name = "flush_all_enabled", .type = "boolean", .default_value = "false",
      .doc = "Let flush_all, FLUSHALL and FLUSHDB through to every backend; otherwise they are refused."},
     [](C& c, bool on) { c.flush_all_enabled = on; }},
    {{.section = Section::cluster, .name = "coalesce_gets", .type = "boolean", .default_value = "true",
      .doc = "memcache: single gets that wait for the same backend leave as one multi-key get."},
     [](C& c, bool on) { c.coalesce_gets = on; }},
    {{.section = Section::cluster, .name = "read_only", .type = "boolean", .default_value = "false",
      .doc = "Refuse every command that writes, scripts that do not promise to read only among them; in memcache "
             "everything but retrievals."},
     [](C& c, bool on) { c.policy.set_read_only(on); }},
    {{.section = Section::cluster, .name = "deny_commands", .type = "array of strings", .default_value = "[]",
      .doc = "redis: commands that nobody may use; of one with subcommands all, or one as ACL rules write it."},
     std::monostate{}},
    {{.section = Section::cluster, .name = "learn_commands", .type = "boolean", .default_value = "true",
      .doc = "redis: ask the backends which commands they have, so that those of newer servers and of modules pass by "
             "the keys that the server says they have."},
     [](C& c, bool on) { c.learn_commands = on; }},
    {{.section = Section::cluster, .name = "script_cache_size", .type = "integer", .default_value = "4194304",
      .unit = "bytes", .lowest = 0, .highest = 1LL << 30,
      .doc = "redis: scripts that came through are kept up to this size, and sent again to a node that answers "
             "NOSCRIPT; 0: never."},
     [](C& c, int64_t bytes) { c.script_cache_size = static_cast<uint64_t>(bytes); }},

    {{.section = Section::cluster, .name = "max_clients", .type = "integer", .default_value = "0", .lowest = 0,
      .highest = std::numeric_limits<int32_t>::max(),
      .doc = "Clients of this cluster; one more gets an error line and is closed, with TLS without the line. "
             "max_connections of the proxy file counts too. 0: no limit.", .reloadable = true},
     [](C& c, int64_t count) { c.max_clients = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "client_idle_timeout", .type = "integer", .default_value = "0",
      .unit = "ms", .lowest = 0, .highest = kMostMilliseconds,
      .doc = "A client of this cluster that sends nothing for this long is closed; 0: read_timeout of the proxy file "
             "holds.", .reloadable = true},
     [](C& c, int64_t ms) { c.client_idle_timeout = milliseconds(ms); }},
    {{.section = Section::cluster, .name = "tcp_keepalive", .type = "integer", .default_value = "60", .unit = "s",
      .lowest = 0, .highest = 32767,
      .doc = "A client's connection that is silent for this long is asked by the kernel whether it is still there, and "
             "broken after four questions without an answer, a quarter of this apart. 0: never asked.",
      .reloadable = true},
     [](C& c, int64_t seconds) { c.tcp_keepalive = static_cast<uint32_t>(seconds); }},
    {{.section = Section::cluster, .name = "backend_tcp_keepalive", .type = "integer", .default_value = "60",
      .unit = "s", .lowest = 0, .highest = 32767, .doc = "The same for connections to backends.", .reloadable = true},
     [](C& c, int64_t seconds) { c.backend_tcp_keepalive = static_cast<uint32_t>(seconds); }},
    {{.section = Section::cluster, .name = "max_key_size", .type = "integer", .default_value = "65536",
      .unit = "bytes", .lowest = 1, .highest = 512LL << 20,
      .doc = "Longest key; memcache has 250 whatever this says."},
     [](C& c, int64_t bytes) { c.limits.max_key_size = static_cast<uint64_t>(bytes); }},
    {{.section = Section::cluster, .name = "max_value_size", .type = "integer", .default_value = "536870912",
      .unit = "bytes", .lowest = 1, .highest = 1LL << 40,
      .doc = "Longest single argument (redis) or item (memcache)."},
     [](C& c, int64_t bytes) { c.limits.max_value_size = static_cast<uint64_t>(bytes); }},
    {{.section = Section::cluster, .name = "max_request_size", .type = "integer", .default_value = "1073741824",
      .unit = "bytes", .lowest = 1024, .highest = 1LL << 42,
      .doc = "Longest request with all its arguments."},
     [](C& c, int64_t bytes) { c.limits.max_request_size = static_cast<uint64_t>(bytes); }},
    {{.section = Section::cluster, .name = "max_arguments", .type = "integer", .default_value = "1048576",
      .lowest = 1, .highest = 1 << 24, .doc = "Most arguments or keys of one request."},
     [](C& c, int64_t count) { c.limits.max_arguments = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "max_pipeline", .type = "integer", .default_value = "1024", .lowest = 1,
      .highest = 1 << 20,
      .doc = "Requests of one client in flight; further ones stay unread in its socket."},
     [](C& c, int64_t count) { c.limits.max_pipeline = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "max_client_buffer", .type = "integer", .default_value = "4194304",
      .unit = "bytes", .lowest = 65536, .highest = 1LL << 40,
      .doc = "Replies waiting for one client; beyond it no more of its requests are read."},
     [](C& c, int64_t bytes) { c.limits.max_client_buffer = static_cast<uint64_t>(bytes); }},
    {{.section = Section::cluster, .name = "max_node_queue", .type = "integer", .default_value = "16384",
      .lowest = 1, .highest = 1 << 24,
      .doc = "Requests waiting on one connection to a backend; further ones get an error at once."},
     [](C& c, int64_t count) { c.limits.max_node_queue = static_cast<uint32_t>(count); }},
    {{.section = Section::cluster, .name = "max_leased_connections", .type = "integer", .default_value = "1000",
      .lowest = 1, .highest = 65535,
      .doc = "redis: connections of each worker to each backend beyond node_connections that clients have for "
             "themselves, while they wait in a blocking command or watch keys. Who needs one more gets an error.",
      .since = "2.1"},
     [](C& c, int64_t count) { c.limits.max_leased_connections = static_cast<uint32_t>(count); }},

    {{.section = Section::cluster, .name = "close_front_conn_when_conf_change", .type = "boolean",
      .default_value = "-", .doc = "nothing ever read it; take it out", .since = "1.x", .state = KeyState::old},
     std::monostate{}},
};
// clang-format on

}  // namespace

std::span<const Key<ClusterConfig>> cluster_keys() { return kKeys; }

}  // namespace overlord::config
