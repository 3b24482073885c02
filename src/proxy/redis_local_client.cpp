// The CLIENT commands: what the proxy knows of its clients, and what clients say of themselves.

#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_clients.h"
#include "proxy/redis_local.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::equals_upper;
using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// As the server writes an address; of a unix socket the path that was listened on, for both ends.
std::string shown(const net::SocketAddress& address, const net::SocketAddress& local) {
  if (address.length == 0) return "?:0";
  if (address.family() != AF_UNIX) return net::to_string(address);
  constexpr std::string_view kScheme = "unix:";
  std::string text = net::to_string(local);
  if (text.starts_with(kScheme)) text.erase(0, kScheme.size());
  return text + ":0";
}

bool parse_id(std::string_view text, uint64_t& id) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
  return failed == std::errc{} && end == text.data() + text.size() && id > 0;
}

// False: there is no such type.
bool parse_type(std::string_view text, ClientQuery::Type& type) {
  using Type = ClientQuery::Type;
  type = equals_upper(text, "NORMAL") ? Type::normal : equals_upper(text, "PUBSUB") ? Type::pubsub : Type::other;
  return type != Type::other || equals_upper(text, "MASTER") || equals_upper(text, "REPLICA") ||
         equals_upper(text, "SLAVE");
}

std::string unknown_type(std::string_view type) { return "ERR Unknown client type '" + std::string(type) + "'"; }

}  // namespace

// The server's letters, in its order.
std::string RedisSession::flags_text(bool unix_socket) const {
  std::string flags;
  if (subscribed()) flags += 'P';
  if (in_transaction()) flags += 'x';
  if ((blocked_ != nullptr && blocked_->blocked()) || (replica_wait_ != nullptr && replica_wait_->waiting()))
    flags += 'b';
  if (unix_socket) flags += 'U';
  return flags.empty() ? "N" : flags;
}

std::string RedisSession::describe() const {
  const int fd = turn_.loop.fd(stream_);
  std::string text;
  const auto field = [&text](std::string_view key, std::string_view value) {
    if (!text.empty()) text += ' ';
    text.append(key).append("=").append(value);
  };
  const uint64_t now = turn_.now();
  field("id", std::to_string(id()));
  const net::SocketAddress local = local_address();
  field("addr", shown(remote_address(), local));
  field("laddr", shown(local, local));
  field("fd", std::to_string(fd));
  field("name", told_ == nullptr ? std::string_view{} : told_->name);
  field("age", std::to_string(now / kSecond - born_));
  field("idle", std::to_string(idle_ns() / kSecond));
  field("flags", flags_text(local.family() == AF_UNIX));
  field("db", "0");
  const auto topics = [this](TopicKind kind) {
    return std::to_string(subscriptions_ == nullptr ? 0 : subscriptions_->of(kind).size());
  };
  field("sub", topics(TopicKind::channel));
  field("psub", topics(TopicKind::pattern));
  field("ssub", topics(TopicKind::shard));
  field("multi", in_transaction() ? std::to_string(transaction_->size()) : "-1");
  field("qbuf", std::to_string(kept_bytes()));
  for (const std::string_view none : {"qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp", "obl", "oll"}) {
    field(none, "0");
  }
  field("omem", std::to_string(stream_.unsent()));
  field("tot-mem", std::to_string(sizeof(RedisSession) + kept_bytes() + stream_.unsent()));
  field("events", "r");
  field("cmd", last_command_ == nullptr ? "NULL" : last_command_->name);
  field("user", user_ == nullptr ? "(superuser)" : user_->name());
  field("redir", "-1");
  field("resp", protocol_ == 3 ? "3" : "2");
  if (told_ != nullptr && !(told_->library_name.empty() && told_->library_version.empty())) {
    field("lib-name", told_->library_name);
    field("lib-ver", told_->library_version);
  }
  return text;
}

bool RedisSession::matches(const ClientQuery& query) const {
  if (query.except == id() || !stream_.attached()) return false;
  using Type = ClientQuery::Type;
  if (query.type != Type::any && query.type != (subscribed() ? Type::pubsub : Type::normal)) return false;
  if (!query.ids.empty() && std::ranges::find(query.ids, id()) == query.ids.end()) return false;
  if (!query.user.empty() && (user_ == nullptr || user_->name() != query.user)) return false;
  if (query.address.empty() && query.local_address.empty()) return true;
  const net::SocketAddress local = local_address();
  if (!query.address.empty() && shown(remote_address(), local) != query.address) return false;
  return query.local_address.empty() || shown(local, local) == query.local_address;
}

void RedisSession::gather(const std::shared_ptr<const ClientQuery>& query, bool by_address) {
  Request& request = new_request(Wire::none, Answer::reply);
  told().gathering =
      std::make_shared<ClientGathering>(ClientGathering{this, &request, by_address, query->act, query->most, 0, {}});
  wait_for_answers();
  ask_clients(cluster_, query, told_->gathering);
}

void RedisSession::gathered() {
  const std::shared_ptr<ClientGathering> all = std::exchange(told().gathering, nullptr);
  // The session may have left in this turn, and the request with it.
  if (all == nullptr || !in_flight()) return;
  std::string& out = cluster_.scratch();
  out.clear();
  if (all->act == ClientQuery::Act::denials) {
    std::ranges::stable_sort(all->found, std::ranges::greater{}, [](const auto& each) { return each.first; });
    if (all->found.size() > all->most) all->found.resize(all->most);
    redis::append_array_header(out, all->found.size());
    for (const auto& [time, entry] : all->found) out.append(entry);
  } else if (all->act == ClientQuery::Act::list) {
    std::ranges::sort(all->found);
    std::string text;
    for (const auto& [number, line] : all->found) text.append(line).append("\n");
    redis::append_bulk(out, text);
  } else if (all->act == ClientQuery::Act::kill && !all->by_address) {
    redis::append_integer(out, static_cast<int64_t>(all->found.size()));
  } else if (all->act == ClientQuery::Act::kill && all->found.empty()) {
    redis::append_error(out, "ERR No such client");
  } else {
    redis::append_simple(out, "OK");
  }
  turn_.requests.set_reply(*all->request, out);
  routing::finish(*all->request);
}

void RedisSession::client_list() {
  auto query = std::make_shared<ClientQuery>();
  redis::RequestArgs args(*parser_);
  if (args.size() == 4 && equals_upper(args.at(2), "TYPE")) {
    if (!parse_type(args.at(3), query->type)) return error(unknown_type(args.at(3)));
  } else if (args.size() > 3 && equals_upper(args.at(2), "ID")) {
    for (uint32_t i = 3; i < args.size(); ++i) {
      int64_t id = 0;
      if (!redis::parse_number(args.at(i), id)) return error("ERR Invalid client ID");
      query->ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (args.size() != 2) {
    return error("ERR syntax error");
  }
  gather(std::move(query), false);
}

void RedisSession::client_kill() {
  auto query = std::make_shared<ClientQuery>();
  query->act = ClientQuery::Act::kill;
  redis::RequestArgs args(*parser_);
  if (args.size() == 3) {
    query->address = args.at(2);
    return gather(std::move(query), true);
  }
  bool skip_me = true;
  if (args.size() % 2 != 0) return error("ERR syntax error");
  for (uint32_t i = 2; i < args.size(); i += 2) {
    const std::string option(args.at(i));
    const std::string_view value = args.at(i + 1);
    uint64_t id = 0;
    if (equals_upper(option, "ID")) {
      if (!parse_id(value, id)) return error("ERR client-id should be greater than 0");
      query->ids.assign(1, id);
    } else if (equals_upper(option, "TYPE")) {
      if (!parse_type(value, query->type)) return error(unknown_type(value));
    } else if (equals_upper(option, "ADDR")) {
      query->address = value;
    } else if (equals_upper(option, "LADDR")) {
      query->local_address = value;
    } else if (equals_upper(option, "USER")) {
      query->user = value;
      const auto& users = cluster_.config().users.all();
      if (std::ranges::none_of(users, [&](const access::User& user) { return user.name() == value; })) {
        return error("ERR No such user '" + std::string(value) + "'");
      }
    } else if (equals_upper(option, "SKIPME") && (equals_upper(value, "YES") || equals_upper(value, "NO"))) {
      skip_me = equals_upper(value, "YES");
    } else {
      return error("ERR syntax error");
    }
  }
  if (skip_me) query->except = id();
  gather(std::move(query), false);
}

void RedisSession::client_reply() {
  const std::string_view mode = parser_->arg(2);
  if (equals_upper(mode, "ON")) {
    reply_mode_ = ReplyMode::on;
    mute_ = false;
    return answer_static("+OK\r\n");
  }
  if (equals_upper(mode, "OFF")) {
    reply_mode_ = ReplyMode::off;
  } else if (!equals_upper(mode, "SKIP")) {
    return error("ERR syntax error");
  } else if (reply_mode_ != ReplyMode::off) {
    reply_mode_ = ReplyMode::skip_next;
  }
}

void RedisSession::client_setinfo() {
  const std::string_view attribute = parser_->arg(2);
  const bool is_name = equals_upper(attribute, "LIB-NAME");
  if (!is_name && !equals_upper(attribute, "LIB-VER")) {
    return error("ERR Unrecognized option '" + std::string(attribute) + "'");
  }
  const std::string_view value = parser_->arg(3);
  if (!valid_client_name(value)) {
    return error("ERR " + std::string(attribute) + " cannot contain spaces, newlines or special characters.");
  }
  (is_name ? told().library_name : told().library_version) = value;
  answer_static("+OK\r\n");
}

void RedisSession::client_tracking() {
  if (equals_upper(parser_->arg(2), "OFF")) return answer_static("+OK\r\n");
  if (!equals_upper(parser_->arg(2), "ON")) return error("ERR syntax error");
  error("ERR client-side caching (CLIENT TRACKING ON) is not supported through this proxy");
}

void RedisSession::local_client(const redis::Command& command) {
  const std::string_view sub = command.name.substr(command.name.find('|') + 1);
  std::string& out = cluster_.scratch();
  out.clear();
  if (sub == "setname") {
    if (!valid_client_name(parser_->arg(2))) return error(kBadClientName);
    set_name(parser_->arg(2));
    return answer_static("+OK\r\n");
  }
  if (sub == "getname") {
    if (told_ == nullptr || told_->name.empty()) return answer_static("$-1\r\n");
    redis::append_bulk(out, told_->name);
    return answer(out);
  }
  if (sub == "id") {
    redis::append_integer(out, static_cast<int64_t>(id()));
    return answer(out);
  }
  if (sub == "info") {
    redis::append_bulk(out, describe() + "\n");
    return answer(out);
  }
  if (sub == "list") return client_list();
  if (sub == "kill") return client_kill();
  if (sub == "reply") return client_reply();
  if (sub == "setinfo") return client_setinfo();
  if (sub == "tracking") return client_tracking();
  if (sub == "maint_notifications") {
    const bool on = equals_upper(parser_->arg(2), "ON");
    if (!on && !equals_upper(parser_->arg(2), "OFF")) return error("ERR syntax error");
    if (on || told_ != nullptr) told().wants_moving = on;
    return answer_static("+OK\r\n");
  }
  if (sub == "no-evict" || sub == "no-touch") {
    const std::string_view mode = parser_->arg(2);
    return equals_upper(mode, "ON") || equals_upper(mode, "OFF") ? answer_static("+OK\r\n") : error("ERR syntax error");
  }
  if (sub == "getredir") return answer_static(":-1\r\n");
  if (sub == "trackinginfo") {
    return answer_static("*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n");
  }
  if (sub == "caching") {
    return error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  }
  refuse(command);
}

// Everything that the connection was told is forgotten.
void RedisSession::local_reset() {
  protocol_ = 2;
  reply_shape_ = redis::ShapeId::resp2;
  reply_mode_ = ReplyMode::on;
  mute_ = false;
  user_ = cluster_.config().users.anonymous();
  set_name({});
  if (told_ != nullptr) told_->wants_moving = false;
  if (transaction_ != nullptr) end_transaction();
  end_subscriptions();
  answer_static("+RESET\r\n");
}

}  // namespace overlord::proxy
