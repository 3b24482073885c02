// overlord-apiserver: flags, configuration, wiring, signals.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "api/api.h"
#include "api/config.h"
#include "base/log.h"
#include "model/types.h"
#include "net/address.h"
#include "store/open.h"

namespace {

using namespace overlord;

int refuse(const std::string& why) {
  log_error(why);
  log_flush();
  std::cerr << "overlord-apiserver: " << why << "\n";
  return 1;
}

// ":8880" is every IPv4 address.
Result<net::SocketAddress> listen_address(const std::string& text) {
  const auto parts = model::host_port(text.starts_with(':') ? "0.0.0.0" + text : text);
  if (!parts) return fail("listen: must be HOST:PORT, not " + text);
  auto found = net::resolve(parts->host, parts->port, true);
  if (!found) return fail("listen: " + found.error().message);
  return found->front();
}

// Readable by its owner alone, and never over a file that is there.
Result<void> write_token(const std::string& path, const std::string& token) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail("cannot write the first token to " + path + ": " + std::strerror(errno));
  const std::string line = token + "\n";
  const bool whole = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!whole) return fail("cannot write the first token to " + path);
  return {};
}

Result<std::unique_ptr<store::Store>> open_store(const api::Config& config) {
  store::OpenOptions options{.user = config.store_user, .tls = {.ca_file = config.store_ca_file}};
  if (!config.store_password_file.empty()) {
    std::ifstream in(config.store_password_file);
    if (!std::getline(in, options.password))
      return fail("store_password_file: cannot read " + config.store_password_file);
  }
  auto opened = store::open_store(config.store, options);
  if (!opened) return fail("store: " + opened.error().message);
  return std::move(*opened);
}

int run(const api::Config& config) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  const auto address = listen_address(config.listen);
  if (!address) return refuse(address.error().message);
  auto store = open_store(config);
  if (!store) return refuse(store.error().message);
  api::Api api(**store, config);
  const auto token = api.prepare();
  if (!token) return refuse(token.error().message);
  if (!token->empty()) {
    if (config.token_file.empty()) {
      std::cout << "the first token, for user admin; it is not shown again: " << *token << std::endl;
    } else if (const auto written = write_token(config.token_file, *token); !written) {
      // Else nobody could ever come in.
      std::cout << "the first token, for user admin; it is not shown again: " << *token << std::endl;
      log_error(written.error().message);
    } else {
      log_info("the first token, for user admin, is in ", config.token_file);
    }
  }
  http::Server server(api.server_options());
  api.serve_on(server);
  if (const auto started = server.start(*address); !started) return refuse("listen: " + started.error().message);
  log_info("listening on ", net::to_string(server.address()));
  for (;;) {
    const int caught = ::sigwaitinfo(&signals, nullptr);
    if (caught == SIGHUP) {
      if (const auto opened = log_reopen(); !opened) log_error(opened.error().message);
    } else if (caught > 0) {
      break;
    }
  }
  log_info("stopping");
  server.stop();
  log_flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto flags = api::parse_flags(argc, argv);
  if (!flags) {
    std::cerr << flags.error().message;
    return 2;
  }
  if (flags->help) {
    std::cout << api::usage_text();
    return 0;
  }
  if (flags->version) {
    std::cout << OVERLORD_VERSION << "\n";
    return 0;
  }
  auto reading = api::read_config_file(flags->conf);
  if (!reading) {
    std::cerr << "overlord-apiserver: " << reading.error().message << "\n";
    return 2;
  }
  for (const std::string& line : reading->errors) std::cerr << line << "\n";
  for (const std::string& line : reading->warnings) std::cerr << line << "\n";
  if (!reading->errors.empty()) return 2;
  if (flags->check) return 0;
  LogOptions& log = reading->config.log;
  log.to_stdout = log.to_stdout || flags->to_stdout;
  if (!flags->log.empty()) log.file = flags->log;
  if (flags->log_verbosity > 0) log.verbosity = static_cast<uint32_t>(flags->log_verbosity);
  if (const auto opened = log_init(log); !opened) {
    std::cerr << "overlord-apiserver: " << opened.error().message << "\n";
    return 1;
  }
  return run(reading->config);
}
