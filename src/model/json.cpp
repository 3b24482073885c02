#include "model/json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "model/host.h"
#include "model/names.h"
#include "model/task.h"

// Each record names its fields once, in fields(); a Writer and a Reader go over them.

namespace overlord::model {
namespace {

using Json = nlohmann::ordered_json;

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, ProxySettings>
void fields(Visitor& visit, T& it) {
  visit("dial_timeout", it.dial_timeout);
  visit("read_timeout", it.read_timeout);
  visit("write_timeout", it.write_timeout);
  visit("node_connections", it.node_connections);
  visit("ping_fail_limit", it.ping_fail_limit);
  visit("ping_auto_eject", it.ping_auto_eject);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Cluster>
void fields(Visitor& visit, T& it) {
  visit("name", it.name);
  visit("type", it.type);
  visit("version", it.version);
  visit("group", it.group);
  visit("spec", it.spec);
  visit("shards", it.shards);
  visit("replicas", it.replicas);
  visit("fault_tolerant", it.fault_tolerant);
  visit("front_port", it.front_port);
  visit("password", it.password);
  visit("settings", it.settings);
  visit("proxy", it.proxy);
  visit("state", it.state);
  visit("reason", it.reason);
  visit("job", it.job);
  visit("created_by", it.created_by);
  visit("created", it.created);
  visit("changed", it.changed);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Node>
void fields(Visitor& visit, T& it) {
  visit("alias", it.alias);
  visit("cluster", it.cluster);
  visit("type", it.type);
  visit("version", it.version);
  visit("group", it.group);
  visit("host", it.host);
  visit("port", it.port);
  visit("shard", it.shard);
  visit("role", it.role);
  visit("node_id", it.node_id);
  visit("weight", it.weight);
  visit("spec", it.spec);
  visit("task", it.task);
  visit("incarnation", it.incarnation);
  visit("agent", it.agent);
  visit("job", it.job);
  visit("created", it.created);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, NodeState>
void fields(Visitor& visit, T& it) {
  visit("health", it.health);
  visit("task", it.task);
  visit("reason", it.reason);
  visit("since", it.since);
  visit("restarts", it.restarts);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, PortRange>
void fields(Visitor& visit, T& it) {
  visit("first", it.first);
  visit("last", it.last);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Host>
void fields(Visitor& visit, T& it) {
  visit("name", it.name);
  visit("group", it.group);
  visit("labels", it.labels);
  visit("capacity", it.capacity);
  visit("ports", it.ports);
  visit("draining", it.draining);
  visit("lost", it.lost);
  visit("seen", it.seen);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Version>
void fields(Visitor& visit, T& it) {
  visit("type", it.type);
  visit("version", it.version);
  visit("sha256", it.sha256);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Intent>
void fields(Visitor& visit, T& it) {
  visit("kind", it.kind);
  visit("cluster", it.cluster);
  visit("shards", it.shards);
  visit("memory_mib", it.memory_mib);
  visit("version", it.version);
  visit("nodes", it.nodes);
  visit("hosts", it.hosts);
  visit("settings", it.settings);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Step>
void fields(Visitor& visit, T& it) {
  visit("kind", it.kind);
  visit("what", it.what);
  visit("detail", it.detail);
  visit("state", it.state);
  visit("attempts", it.attempts);
  visit("note", it.note);
  visit("began", it.began);
  visit("ended", it.ended);
  visit("weight", it.weight);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Job>
void fields(Visitor& visit, T& it) {
  visit("group", it.group);
  visit("number", it.number);
  visit("intent", it.intent);
  visit("state", it.state);
  visit("reason", it.reason);
  visit("user", it.user);
  visit("steps", it.steps);
  visit("cursor", it.cursor);
  visit("pause", it.pause);
  visit("cancel", it.cancel);
  visit("retries", it.retries);
  visit("created", it.created);
  visit("began", it.began);
  visit("ended", it.ended);
  visit("changed", it.changed);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, User>
void fields(Visitor& visit, T& it) {
  visit("name", it.name);
  visit("access", it.access);
  visit("password_hash", it.password_hash);
  visit("created", it.created);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, Token>
void fields(Visitor& visit, T& it) {
  visit("user", it.user);
  visit("access", it.access);
  visit("note", it.note);
  visit("created", it.created);
  visit("ends", it.ends);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, AuditRecord>
void fields(Visitor& visit, T& it) {
  visit("number", it.number);
  visit("at", it.at);
  visit("user", it.user);
  visit("from", it.from);
  visit("request_id", it.request_id);
  visit("action", it.action);
  visit("target", it.target);
  visit("detail", it.detail);
  visit("status", it.status);
}

template <typename Visitor, typename T>
  requires std::is_same_v<std::remove_const_t<T>, NodeTask>
void fields(Visitor& visit, T& it) {
  visit("id", it.id);
  visit("cluster", it.cluster);
  visit("group", it.group);
  visit("type", it.type);
  visit("version", it.version);
  visit("host", it.host);
  visit("port", it.port);
  visit("spec", it.spec);
  visit("password", it.password);
  visit("settings", it.settings);
  visit("nodes_conf", it.nodes_conf);
  visit("wipe", it.wipe);
  visit("file_server", it.file_server);
  visit("sha256", it.sha256);
}

template <typename Record>
struct Writer {
  Json out = Json::object();

  void operator()(const char* name, const auto& value) { out[name] = json_of(value); }

 private:
  template <typename Value>
  static Json json_of(const Value& value) {
    if constexpr (std::is_same_v<Value, Spec>) {
      return value == Spec{} ? Json("") : Json(to_string(value));
    } else if constexpr (std::is_enum_v<Value>) {
      return Json(std::string(name_of(value)));
    } else if constexpr (std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string>) {
      return Json(value);
    } else if constexpr (requires { typename Value::mapped_type; }) {
      Json object = Json::object();
      for (const auto& [key, text] : value) object[key] = text;
      return object;
    } else if constexpr (
        requires { value.push_back(typename Value::value_type{}); } || requires { typename Value::value_type; }) {
      Json list = Json::array();
      for (const auto& each : value) list.push_back(json_of(each));
      return list;
    } else {
      Writer<Value> inner;
      fields(inner, value);
      return std::move(inner.out);
    }
  }
};

template <typename Record>
std::string text_of(const Record& record) {
  Writer<Record> writer;
  fields(writer, record);
  // What is not UTF-8 comes from messages of others; the record is more than one sign in them.
  return writer.out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Reader {
 public:
  Reader(const Json& in, std::string where) : in_(in), where_(std::move(where)) {}

  void operator()(const char* name, auto& value) {
    if (!wrong_.empty()) return;
    const auto at = in_.find(name);
    if (at == in_.end() || at->is_null()) return;
    read(*at, where_.empty() ? name : where_ + "." + name, value);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  void refuse(const std::string& field, const char* expected) { wrong_ = field + ": expected " + expected; }

  template <typename Value>
  void read(const Json& from, const std::string& field, Value& value) {
    if constexpr (std::is_same_v<Value, std::string>) {
      if (!from.is_string()) return refuse(field, "a string");
      value = from.get_ref<const std::string&>();
    } else if constexpr (std::is_same_v<Value, bool>) {
      if (!from.is_boolean()) return refuse(field, "true or false");
      value = from.get<bool>();
    } else if constexpr (std::is_same_v<Value, Spec>) {
      if (!from.is_string()) return refuse(field, "cores and memory, like \"1c2g\"");
      const auto& text = from.get_ref<const std::string&>();
      const auto found = text.empty() ? std::optional<Spec>(Spec{}) : spec(text);
      if (!found) return refuse(field, "cores and memory, like \"1c2g\"");
      value = *found;
    } else if constexpr (std::is_enum_v<Value>) {
      const auto found = from.is_string() ? value_of<Value>(from.get_ref<const std::string&>()) : std::nullopt;
      if (!found) return refuse(field, "one of the known words");
      value = *found;
    } else if constexpr (std::is_integral_v<Value>) {
      read_number(from, field, value);
    } else if constexpr (requires { typename Value::mapped_type; }) {
      if (!from.is_object()) return refuse(field, "an object");
      value.clear();
      for (const auto& [key, each] : from.items()) {
        const std::string below = field + "." + key;
        read(each, below, value[key]);
        if (!wrong_.empty()) return;
      }
    } else if constexpr (requires { typename Value::value_type; }) {
      if (!from.is_array()) return refuse(field, "a list");
      value.clear();
      for (const Json& each : from) {
        const std::string below = field + "[" + std::to_string(value.size()) + "]";
        read(each, below, value.emplace_back());
        if (!wrong_.empty()) return;
      }
    } else {
      if (!from.is_object()) return refuse(field, "an object");
      Reader inner(from, field);
      fields(inner, value);
      wrong_ = inner.wrong_;
    }
  }

  template <typename Number>
  void read_number(const Json& from, const std::string& field, Number& value) {
    if (from.is_number_unsigned()) {
      const auto number = from.get<uint64_t>();
      if (number <= static_cast<uint64_t>(std::numeric_limits<Number>::max())) {
        value = static_cast<Number>(number);
        return;
      }
    } else if (from.is_number_integer()) {
      const auto number = from.get<int64_t>();
      if (number >= static_cast<int64_t>(std::numeric_limits<Number>::min())) {
        value = static_cast<Number>(number);
        return;
      }
    }
    refuse(field, "a whole number within its range");
  }

  const Json& in_;
  const std::string where_;
  std::string wrong_;
};

template <typename Record>
Result<Record> record_of(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("not a JSON object");
  Record record;
  Reader reader(json, "");
  fields(reader, record);
  if (!reader.wrong().empty()) return fail(reader.wrong());
  return record;
}

}  // namespace

std::string to_json(const Cluster& cluster) { return text_of(cluster); }
std::string to_json(const Node& node) { return text_of(node); }
std::string to_json(const NodeState& state) { return text_of(state); }
std::string to_json(const Host& host) { return text_of(host); }
std::string to_json(const Version& version) { return text_of(version); }
std::string to_json(const Job& job) { return text_of(job); }
std::string to_json(const User& user) { return text_of(user); }
std::string to_json(const Token& token) { return text_of(token); }
std::string to_json(const AuditRecord& record) { return text_of(record); }
std::string to_json(const NodeTask& task) { return text_of(task); }

template <>
Result<Cluster> from_json(std::string_view text) {
  return record_of<Cluster>(text);
}
template <>
Result<Node> from_json(std::string_view text) {
  return record_of<Node>(text);
}
template <>
Result<NodeState> from_json(std::string_view text) {
  return record_of<NodeState>(text);
}
template <>
Result<Host> from_json(std::string_view text) {
  return record_of<Host>(text);
}
template <>
Result<Version> from_json(std::string_view text) {
  return record_of<Version>(text);
}
template <>
Result<Job> from_json(std::string_view text) {
  return record_of<Job>(text);
}
template <>
Result<User> from_json(std::string_view text) {
  return record_of<User>(text);
}
template <>
Result<Token> from_json(std::string_view text) {
  return record_of<Token>(text);
}
template <>
Result<AuditRecord> from_json(std::string_view text) {
  return record_of<AuditRecord>(text);
}
template <>
Result<NodeTask> from_json(std::string_view text) {
  return record_of<NodeTask>(text);
}

}  // namespace overlord::model
