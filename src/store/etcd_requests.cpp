// Requests to etcd (etcd_json.h). Everything in them is base64, a number or a word of ours, but a user's name and password.
#include "base/base64.h"
#include "base/text_escape.h"
#include "store/etcd_json.h"

namespace overlord::store::etcd {
namespace {

// {"a":..., "b":...}: texts are quoted and need no escape.
class Object {
 public:
  Object& text(std::string_view name, std::string_view value) { return raw(name, "\"" + std::string(value) + "\""); }
  Object& bytes(std::string_view name, std::string_view value) { return text(name, to_base64(value)); }
  Object& number(std::string_view name, int64_t value) { return text(name, std::to_string(value)); }
  Object& yes(std::string_view name) { return raw(name, "true"); }
  Object& raw(std::string_view name, std::string_view json) {
    out_ += out_.empty() ? "{\"" : ",\"";
    ((out_ += name) += "\":") += json;
    return *this;
  }
  std::string done() const { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
};

template <typename Items, typename F>
std::string array_of(const Items& items, F&& json) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += json(item);
  }
  return out + "]";
}

// etcd's word for "without end" is a single 0.
std::string_view end_or_zero(std::string_view end) { return end.empty() ? std::string_view("\0", 1) : end; }

std::string compare(const Condition& condition) {
  const bool created = condition.field == Condition::Field::created;
  return Object()
      .bytes("key", condition.key)
      .text("target", created ? "CREATE" : "MOD")
      .text("result", condition.equal ? "EQUAL" : "NOT_EQUAL")
      .number(created ? "create_revision" : "mod_revision", condition.revision)
      .done();
}

std::string operation(const Change& change) {
  Object request;
  request.bytes("key", change.key);
  switch (change.kind) {
    case Change::Kind::put:
      request.bytes("value", change.value);
      if (change.lease != 0) request.number("lease", change.lease);
      return Object().raw("request_put", request.done()).done();
    case Change::Kind::remove: break;
    case Change::Kind::remove_prefix: request.bytes("range_end", end_or_zero(prefix_end(change.key))); break;
  }
  return Object().raw("request_delete_range", request.done()).done();
}

std::string escaped(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

}  // namespace

std::string get_request(std::string_view key, Revision at) {
  Object request;
  request.bytes("key", key);
  if (at != 0) request.number("revision", at);
  return request.done();
}

std::string list_request(std::string_view begin, std::string_view end, size_t limit, Revision at, bool keys_only) {
  Object request;
  // An empty key would be none; the first of all keys is a single 0.
  request.bytes("key", begin.empty() ? std::string_view("\0", 1) : begin).bytes("range_end", end_or_zero(end));
  request.number("limit", static_cast<int64_t>(limit));
  if (at != 0) request.number("revision", at);
  if (keys_only) request.yes("keys_only");
  return request.done();
}

std::string commit_request(const Transaction& transaction) {
  Object request;
  request.raw("compare", array_of(transaction.conditions, compare));
  request.raw("success", array_of(transaction.changes, operation));
  request.raw("failure", array_of(transaction.conditions, [](const Condition& condition) {
                const std::string range = Object().bytes("key", condition.key).yes("keys_only").done();
                return Object().raw("request_range", range).done();
              }));
  return request.done();
}

std::string compact_request(Revision revision) { return Object().number("revision", revision).done(); }

std::string grant_request(LeaseId id, std::chrono::seconds ttl) {
  return Object().number("ID", id).number("TTL", ttl.count()).done();
}

std::string lease_request(LeaseId id) { return Object().number("ID", id).done(); }

std::string watch_request(std::string_view prefix, Revision from) {
  Object request;
  request.bytes("key", prefix.empty() ? std::string_view("\0", 1) : prefix);
  request.bytes("range_end", end_or_zero(prefix_end(prefix))).number("start_revision", from).yes("fragment");
  return Object().raw("create_request", request.done()).done();
}

std::string login_request(std::string_view user, std::string_view password) {
  return Object().text("name", escaped(user)).text("password", escaped(password)).done();
}

}  // namespace overlord::store::etcd
