#include "config/tls_check.h"

#include <algorithm>
#include <ctime>

namespace overlord::config {

namespace {

using Reader = TableReader<ClusterConfig>;
using Part = net::TlsProblem::Part;

// The names of the keys of one side.
struct Side {
  const char* cert;
  const char* key;
  const char* ca;

  const char* name(Part part) const {
    switch (part) {
      case Part::cert: return cert;
      case Part::key: return key;
      case Part::ca: return ca;
      case Part::ciphers: return "tls_ciphers";
      case Part::ciphersuites: return "tls_ciphersuites";
      case Part::other: break;
    }
    return cert;
  }
};
constexpr Side kListeners{"tls_cert", "tls_key", "tls_ca"};
constexpr Side kBackends{"backend_tls_cert", "backend_tls_key", "backend_tls_ca"};

Position place(const Reader& reader, const char* name, const char* otherwise) {
  for (const char* key : {name, otherwise})
    if (const TomlEntry* entry = reader.find(key)) return entry->value.at;
  return {};
}

// True when both files of a certificate are named, or neither; reports which is missing.
bool is_pair(const Reader& reader, const Side& side, const net::TlsSettings& settings, Reporter& reporter) {
  if (settings.cert_file.empty() == settings.key_file.empty()) return true;
  const char* missing = settings.cert_file.empty() ? side.cert : side.key;
  const char* there = settings.cert_file.empty() ? side.key : side.cert;
  reporter.error(place(reader, there, there), reader.path(missing), "missing",
                 std::string(there) + " works only together with it");
  return false;
}

// What a start would do with the files.
void check_files(const Reader& reader, const Side& side, const char* switched_by, const net::TlsSettings& settings,
                 Reporter& reporter) {
  const auto report = [&](const net::TlsProblem& problem) {
    const char* name = side.name(problem.part);
    reporter.error(place(reader, name, switched_by), reader.path(name), problem.message, problem.fix);
  };
  auto material = net::read_tls_files(settings);
  if (!material) return report(material.error());
  const auto context = net::make_tls_context(settings, *material);
  if (!context) return report(context.error());
  const int64_t until = net::tls_valid_until(**context);
  if (until != 0 && until < std::time(nullptr))
    reporter.warning(place(reader, side.cert, switched_by), reader.path(side.cert),
                     settings.cert_file + " has expired, so whoever checks it will refuse it", "put a new one there");
}

// Ciphers are checked without any file as well.
void check_ciphers(const Reader& reader, const char* switched_by, const net::TlsSettings& settings,
                   Reporter& reporter) {
  net::TlsSettings alone;
  alone.server = false;
  alone.verify_server = false;
  alone.ciphers = settings.ciphers;
  alone.ciphersuites = settings.ciphersuites;
  const auto context = net::make_tls_context(alone, net::TlsMaterial{});
  if (context) return;
  const char* name = kListeners.name(context.error().part);
  reporter.error(place(reader, name, switched_by), reader.path(name), context.error().message, context.error().fix);
}

struct Unused {
  const char* name;
  bool changed;  // from its default
};
void warn_unused(const Reader& reader, std::initializer_list<Unused> keys, const char* needs, Reporter& reporter) {
  for (const Unused& key : keys)
    if (key.changed)
      reporter.warning(place(reader, key.name, key.name), reader.path(key.name),
                       std::string("has no effect without ") + needs);
}

void check_listeners(const Reader& reader, FileCheck files, const ClusterConfig& cluster, Reporter& reporter) {
  constexpr const char* kSwitch = "listen_tls_addr";
  const net::TlsSettings& settings = cluster.tls;
  if (reader.find(kSwitch) == nullptr)
    return warn_unused(
        reader,
        {{"tls_cert", !settings.cert_file.empty()},
         {"tls_key", !settings.key_file.empty()},
         {"tls_ca", !settings.ca_file.empty()},
         {"tls_verify_client", settings.verify_client != net::TlsVerify::none},
         {"tls_handshake_timeout", cluster.tls_handshake_timeout != ClusterConfig().tls_handshake_timeout}},
        kSwitch, reporter);
  if (settings.cert_file.empty() && settings.key_file.empty())
    return reporter.error(place(reader, kSwitch, kSwitch), reader.path("tls_cert"), "missing",
                          "listen_tls_addr needs tls_cert and tls_key");
  if (!is_pair(reader, kListeners, settings, reporter)) return;
  if (settings.verify_client != net::TlsVerify::none && settings.ca_file.empty())
    return reporter.error(place(reader, "tls_verify_client", kSwitch), reader.path("tls_ca"), "missing",
                          "tls_verify_client needs the authorities that sign the clients' certificates");
  if (settings.verify_client == net::TlsVerify::none && !settings.ca_file.empty())
    reporter.warning(place(reader, "tls_ca", kSwitch), reader.path("tls_ca"), "has no effect: clients are not asked",
                     "write tls_verify_client = \"required\" to let in only clients with a certificate of these");
  if (files == FileCheck::yes) check_files(reader, kListeners, kSwitch, settings, reporter);
}

void check_backends(const Reader& reader, FileCheck files, const ClusterConfig& cluster, Reporter& reporter) {
  constexpr const char* kSwitch = "backend_tls";
  const net::TlsSettings& settings = cluster.backend_tls;
  if (!cluster.backend_tls_on && !cluster.sentinel_tls)
    return warn_unused(reader,
                       {{"backend_tls_ca", !settings.ca_file.empty()},
                        {"backend_tls_cert", !settings.cert_file.empty()},
                        {"backend_tls_key", !settings.key_file.empty()},
                        {"backend_tls_verify", !settings.verify_server},
                        {"backend_tls_server_name", !cluster.backend_tls_server_name.empty()}},
                       "backend_tls = true", reporter);
  if (!is_pair(reader, kBackends, settings, reporter)) return;
  if (!settings.verify_server)
    reporter.warning(place(reader, "backend_tls_verify", kSwitch), reader.path("backend_tls_verify"),
                     "any server will be believed, also one that listens in",
                     "leave it true and name the authority with backend_tls_ca");
  if (settings.verify_server && cluster.backend_tls_server_name.empty()) {
    for (const ServerConfig& server : cluster.servers) {
      if (server.address.kind != Address::Kind::unix_socket) continue;
      reporter.error({.line = server.line}, reader.path("backend_tls_server_name"), "missing",
                     "a unix socket has no host name to look for in the certificate");
      break;
    }
    const auto is_socket = [](const Address& address) { return address.kind == Address::Kind::unix_socket; };
    if (cluster.sentinel_tls && std::ranges::any_of(cluster.sentinels, is_socket))
      reporter.error(place(reader, "sentinels", kSwitch), reader.path("backend_tls_server_name"), "missing",
                     "a unix socket has no host name to look for in the certificate");
  }
  if (files == FileCheck::yes) check_files(reader, kBackends, kSwitch, settings, reporter);
}

}  // namespace

void check_tls(const Reader& reader, FileCheck files, const ClusterConfig& cluster, Reporter& reporter) {
  check_listeners(reader, files, cluster, reporter);
  check_backends(reader, files, cluster, reporter);
  const bool used = reader.find("listen_tls_addr") != nullptr || cluster.backend_tls_on || cluster.sentinel_tls;
  if (!used)
    warn_unused(reader,
                {{"tls_min_version", cluster.tls.only_tls13},
                 {"tls_ciphers", !cluster.tls.ciphers.empty()},
                 {"tls_ciphersuites", !cluster.tls.ciphersuites.empty()}},
                "listen_tls_addr or backend_tls", reporter);
  else if (files == FileCheck::no)
    check_ciphers(reader, "tls_ciphers", cluster.tls, reporter);
}

}  // namespace overlord::config
