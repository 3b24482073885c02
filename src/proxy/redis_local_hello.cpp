// HELLO: the protocol of the connection, with AUTH and SETNAME in one.

#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_local.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

void RedisSession::local_hello() {
  redis::RequestArgs args(*parser_);
  uint8_t protocol = protocol_;
  if (args.size() > 1) {
    int64_t version = 0;
    if (!redis::parse_number(args.at(1), version)) {
      return error("ERR Protocol version is not an integer or out of range");
    }
    if (version != 2 && version != 3) return error("NOPROTO unsupported protocol version");
    protocol = static_cast<uint8_t>(version);
  }
  // As the server: AUTH acts at once, whatever follows it, the name and the protocol at the end.
  std::string_view name;
  bool named = false;
  for (uint32_t i = 2; i < args.size(); ++i) {
    const std::string_view option = args.at(i);
    const uint32_t more = args.size() - 1 - i;
    if (redis::equals_upper(option, "AUTH") && more >= 2) {
      if (!log_in(args.at(i + 1), args.at(i + 2))) return;
      i += 2;
    } else if (redis::equals_upper(option, "SETNAME") && more >= 1) {
      name = args.at(++i);
      named = true;
      if (!valid_client_name(name)) return error(kBadClientName);
    } else {
      return error("ERR Syntax error in HELLO option '" + std::string(option) + "'");
    }
  }
  if (user_ == nullptr) {
    return error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
        "option can be used to authenticate the client and select the RESP protocol version at the same time");
  }
  if (named) set_name(name);
  protocol_ = protocol;
  reply_shape_ = protocol == 3 ? redis::ShapeId::hello : redis::ShapeId::resp2;
  std::string& out = cluster_.scratch();
  out.clear();
  const auto text = [&out](std::string_view key, std::string_view value) {
    redis::append_bulk(out, key);
    redis::append_bulk(out, value);
  };
  const auto number = [&out](std::string_view key, int64_t value) {
    redis::append_bulk(out, key);
    redis::append_integer(out, value);
  };
  redis::append_array_header(out, 14);
  text("server", "redis");
  text("version", cluster_.shown_version());
  number("proto", protocol);
  number("id", static_cast<int64_t>(id()));
  text("mode", shown_as_cluster() ? "cluster" : "standalone");
  text("role", "master");
  redis::append_bulk(out, "modules");
  redis::append_array_header(out, 0);
  answer(out);
}

}  // namespace overlord::proxy
