// The redis commands that the proxy answers itself: those of the connection, and what clients ask to know the server.

#include "proxy/redis_local.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "protocol/redis/command_lookup.h"
#include "protocol/redis/command_reply.h"
#include "protocol/redis/length_line.h"
#include "protocol/redis/writer.h"
#include "proxy/cluster_totals.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;

bool valid_client_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

void RedisSession::local(const Command& command) {
  const std::string_view name = command.name;
  std::string& out = cluster_.scratch();
  out.clear();
  if (name == "ping") {
    if (parser_->argc() == 1) return answer_static("+PONG\r\n");
    if (parser_->argc() > 2) return error(redis::wrong_arity_error(name));
    redis::append_bulk(out, parser_->arg(1));
    return answer(out);
  }
  if (name == "echo") {
    redis::append_bulk(out, parser_->arg(1));
    return answer(out);
  }
  if (name == "quit") return answer_and_close("+OK\r\n");
  if (name == "select") return local_select();
  if (name == "auth") return local_auth();
  if (name == "hello") return local_hello();
  if (name == "info") return local_info();
  if (name == "time") {
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    redis::append_array_header(out, 2);
    redis::append_bulk(out, std::to_string(now / 1'000'000));
    redis::append_bulk(out, std::to_string(now % 1'000'000));
    return answer(out);
  }
  if (name.starts_with("client|")) return local_client(command);
  if (name.starts_with("cluster|")) return local_cluster(command);
  if (name.starts_with("acl|")) return local_acl(command);
  if (name.starts_with("command")) {
    redis::append_command_reply(out, command, *parser_, cluster_.learned().all());
    return answer(out);
  }
  local_server(command);
}

void RedisSession::local_select() {
  int64_t db = 0;
  if (!redis::parse_number(parser_->arg(1), db)) return error("ERR value is not an integer or out of range");
  if (db != 0) return error("ERR DB index is out of range");
  answer_static("+OK\r\n");
}

void RedisSession::set_name(std::string_view name) {
  if (told_ != nullptr || !name.empty()) told().name = name;
}

void RedisSession::local_info() {
  std::string& out = cluster_.scratch();
  redis::append_bulk(out, info_text());
  answer(out);
}

std::string RedisSession::info_text() const {
  const auto now = static_cast<uint64_t>(::time(nullptr));
  const auto wants = [this](std::string_view section) {
    if (parser_->argc() == 1) return true;
    for (uint32_t i = 1; i < std::min(parser_->argc(), redis::RequestParser::kFirstArgs); ++i) {
      for (const std::string_view all :
           {section, std::string_view("default"), std::string_view("all"), std::string_view("everything")}) {
        if (redis::equals_lower(parser_->arg(i), all)) return true;
      }
    }
    return false;
  };
  std::string text;
  const auto section = [&text](std::string_view name) {
    if (!text.empty()) text.append("\r\n");
    text.append("# ").append(name).append("\r\n");
  };
  const auto line = [&text](std::string_view key, std::string_view value) {
    text.append(key).append(":").append(value).append("\r\n");
  };
  if (wants("server")) {
    section("Server");
    line("redis_version", cluster_.shown_version());
    line("redis_mode", shown_as_cluster() ? "cluster" : "standalone");
    line("overlord_version", OVERLORD_VERSION);
    line("process_id", std::to_string(::getpid()));
    line("uptime_in_seconds", std::to_string(now - cluster_.shared().started_at));
    line("cluster_name", cluster_.config().name);
    line("io_driver", turn_.loop.driver());
  }
  if (wants("clients")) {
    section("Clients");
    line("connected_clients", std::to_string(cluster_.shared().connections.get()));
    line("maxclients", std::to_string(cluster_.process().max_connections));
    line("blocked_clients", std::to_string(ClusterTotals(cluster_).of(&ClusterCounters::blocked_clients)));
  }
  if (wants("stats")) {
    section("Stats");
    const ClusterTotals totals(cluster_);
    line("total_connections_received", std::to_string(totals.of(&ClusterCounters::accepted)));
    line("total_commands_processed", std::to_string(totals.of(&ClusterCounters::requests)));
    line("slow_subscribers", std::to_string(totals.of(&ClusterCounters::slow_subscribers)));
    line("rejected_connections", std::to_string(totals.refused()));
    line("acl_access_denied_auth", std::to_string(totals.of(&ClusterCounters::refused_logins)));
    line("acl_access_denied_cmd", std::to_string(totals.of(&ClusterCounters::refused_calls)));
    for (const auto& [name, count] : totals.edge()) line(name, std::to_string(count));
    for (size_t i = 1; i < routing::kFailureCount; ++i) {
      const auto failure = static_cast<routing::Failure>(i);
      line("failures_" + std::string(routing::failure_name(failure)), std::to_string(totals.failures(failure)));
    }
  }
  if (wants("replication")) {
    section("Replication");
    line("role", "master");
    line("connected_slaves", "0");
  }
  if (wants("cluster")) {
    section("Cluster");
    line("cluster_enabled", shown_as_cluster() ? "1" : "0");
  }
  if (wants("backends")) {
    section("Backends");
    for (const auto& backend : cluster_.pool().backends()) {
      line(backend->server().ring_name, std::string(backend->ejected() ? "state=ejected" : "state=in_ring") +
                                            ",requests=" + std::to_string(backend->counters().requests.get()) +
                                            ",faults=" + std::to_string(backend->counters().failures.get()));
    }
  }
  return text;
}

}  // namespace overlord::proxy
