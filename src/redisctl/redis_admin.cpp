#include "redisctl/redis_admin.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>

namespace overlord::redisctl {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

timeval as_timeval(std::chrono::milliseconds time) {
  return {.tv_sec = time.count() / 1000, .tv_usec = (time.count() % 1000) * 1000};
}

std::string name_of(const Endpoint& at) { return at.host + ":" + std::to_string(at.port); }

// Of a password only that there was one may be seen.
std::string key_of(const Endpoint& at) { return name_of(at) + (at.password.empty() ? "" : " with a password"); }

std::string text_of(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
  return reply.str == nullptr ? std::string() : std::string(reply.str, reply.len);
}

// "name:value" lines of INFO and CLUSTER INFO.
std::string_view field(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
  }
  return {};
}

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

void RedisAdmin::Close::operator()(redisContext* context) const { redisFree(context); }

RedisAdmin::RedisAdmin(const RedisAdminOptions& options) : options_(options) {}
RedisAdmin::~RedisAdmin() = default;

void RedisAdmin::drop(const Endpoint& at) { connections_.erase(key_of(at)); }

Result<redisContext*> RedisAdmin::connection(const Endpoint& at) {
  const std::string key = key_of(at);
  if (const auto found = connections_.find(key); found != connections_.end()) {
    found->second.used = ++uses_;
    return found->second.context.get();
  }
  if (connections_.size() >= options_.most_connections) {
    connections_.erase(std::ranges::min_element(connections_, {}, [](const auto& kept) { return kept.second.used; }));
  }
  Context context(redisConnectWithTimeout(at.host.c_str(), at.port, as_timeval(options_.connect_timeout)));
  if (context == nullptr) return fail("no memory for a connection");
  if (context->err != 0) return fail("cannot connect to " + name_of(at) + ": " + context->errstr);
  redisContext* const made = context.get();
  connections_[key] = {std::move(context), ++uses_};
  if (at.password.empty()) return made;
  auto let_in = ask_all(at, {{"AUTH", at.password}}, options_.timeout);
  if (let_in) return made;
  drop(at);
  return std::unexpected(let_in.error());
}

Result<std::vector<std::string>> RedisAdmin::ask_all(const Endpoint& at, const std::vector<Command>& commands,
                                                     std::chrono::milliseconds timeout) {
  const auto connected = connection(at);
  if (!connected) return std::unexpected(connected.error());
  redisContext* const context = *connected;
  redisSetTimeout(context, as_timeval(timeout));
  for (const Command& command : commands) {
    std::vector<const char*> words;
    std::vector<size_t> sizes;
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context, static_cast<int>(words.size()), words.data(), sizes.data());
  }
  std::vector<std::string> answers;
  std::string error;
  for (const Command& command : commands) {
    void* raw = nullptr;
    if (redisGetReply(context, &raw) != REDIS_OK || raw == nullptr) {
      const std::string why = context->errstr;
      drop(at);
      return fail(name_of(at) + " does not answer " + command.front() + ": " + why);
    }
    const Reply reply(static_cast<redisReply*>(raw));
    if (reply->type == REDIS_REPLY_ERROR && error.empty()) {
      error = name_of(at) + " refuses " + command.front() +
              (command.size() > 1 && command.front() == "CLUSTER" ? " " + command[1] : "") + ": " + text_of(*reply);
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
      answers.push_back(text_of(*reply));
      continue;
    }
    for (size_t i = 0; i < reply->elements; ++i) answers.push_back(text_of(*reply->element[i]));
  }
  if (!error.empty()) return fail(error);
  return answers;
}

Result<std::string> RedisAdmin::ask(const Endpoint& at, const Command& command) {
  auto answers = ask_all(at, {command}, options_.timeout);
  if (!answers) return std::unexpected(answers.error());
  if (answers->size() != 1) return fail(name_of(at) + " answers " + command.front() + " with something else");
  return std::move(answers->front());
}

Result<void> RedisAdmin::tell(const Endpoint& at, const Command& command) {
  const auto answer = ask(at, command);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Result<std::vector<std::string>> RedisAdmin::list(const Endpoint& at, const Command& command) {
  return ask_all(at, {command}, options_.timeout);
}

Result<Topology> RedisAdmin::topology(const Endpoint& at) {
  const auto text = ask(at, {"CLUSTER", "NODES"});
  if (!text) return std::unexpected(text.error());
  auto read = parse_topology(*text);
  if (!read) return fail(name_of(at) + ": " + read.error().message);
  return read;
}

Result<ClusterInfo> RedisAdmin::cluster_info(const Endpoint& at) {
  const auto text = ask(at, {"CLUSTER", "INFO"});
  if (!text) return std::unexpected(text.error());
  return ClusterInfo{.ok = field(*text, "cluster_state") == "ok",
                     .slots_ok = static_cast<uint32_t>(number(field(*text, "cluster_slots_ok"))),
                     .known_nodes = static_cast<uint32_t>(number(field(*text, "cluster_known_nodes")))};
}

Result<NodeInfo> RedisAdmin::info(const Endpoint& at) {
  const auto text = ask(at, {"INFO"});
  if (!text) return std::unexpected(text.error());
  const bool master = field(*text, "role") == "master";
  return NodeInfo{.master = master,
                  .link_up = field(*text, "master_link_status") == "up",
                  .loading = field(*text, "loading") == "1",
                  .offset = number(field(*text, master ? "master_repl_offset" : "slave_repl_offset")),
                  .version = std::string(field(*text, "redis_version"))};
}

Result<void> RedisAdmin::meet(const Endpoint& at, const std::string& host, uint16_t port) {
  return tell(at, {"CLUSTER", "MEET", host, std::to_string(port)});
}

Result<void> RedisAdmin::forget(const Endpoint& at, const std::string& id) {
  auto told = tell(at, {"CLUSTER", "FORGET", id});
  if (!told && told.error().message.find("Unknown node") != std::string::npos) return {};
  return told;
}

Result<void> RedisAdmin::replicate(const Endpoint& at, const std::string& master_id) {
  return tell(at, {"CLUSTER", "REPLICATE", master_id});
}

Result<void> RedisAdmin::failover(const Endpoint& at, Failover how) {
  Command command{"CLUSTER", "FAILOVER"};
  if (how == Failover::force) command.emplace_back("FORCE");
  auto told = tell(at, command);
  if (!told && told.error().message.find("You should send CLUSTER FAILOVER to a") != std::string::npos) return {};
  return told;
}

Result<void> RedisAdmin::mark_slots(const Endpoint& at, std::span<const uint16_t> slots, SlotMark mark,
                                    const std::string& id) {
  constexpr const char* kWords[] = {"MIGRATING", "IMPORTING", "NODE", "STABLE"};
  std::vector<Command> commands;
  for (const uint16_t slot : slots) {
    commands.push_back({"CLUSTER", "SETSLOT", std::to_string(slot), kWords[static_cast<size_t>(mark)]});
    if (mark != SlotMark::stable) commands.back().push_back(id);
  }
  const auto done = ask_all(at, commands, options_.timeout);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<uint64_t> RedisAdmin::count_keys(const Endpoint& at, uint16_t slot) {
  const auto text = ask(at, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)});
  if (!text) return std::unexpected(text.error());
  return number(*text);
}

Result<uint64_t> RedisAdmin::move_keys(const Endpoint& from, const Endpoint& to, uint16_t slot, uint32_t most) {
  const auto keys = list(from, {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most)});
  if (!keys) return std::unexpected(keys.error());
  if (keys->empty()) return 0;
  // What the source has is what counts while it owns the slot; a copy over there is of a try whose answer was lost.
  Command command{"MIGRATE", to.host, std::to_string(to.port),
                  "",        "0",     std::to_string(options_.migrate_timeout.count() / 2),
                  "REPLACE"};
  if (!to.password.empty()) {
    command.emplace_back("AUTH");
    command.push_back(to.password);
  }
  command.emplace_back("KEYS");
  command.insert(command.end(), keys->begin(), keys->end());
  const auto moved = ask_all(from, {command}, options_.migrate_timeout);
  if (!moved) return std::unexpected(moved.error());
  return keys->size();
}

Result<void> RedisAdmin::config_set(const Endpoint& at, const std::map<std::string, std::string>& settings) {
  std::vector<Command> commands;
  for (const auto& [name, value] : settings) commands.push_back({"CONFIG", "SET", name, value});
  if (commands.empty()) return {};
  const auto set = ask_all(at, commands, options_.timeout);
  if (!set) return std::unexpected(set.error());
  return {};
}

}  // namespace overlord::redisctl
