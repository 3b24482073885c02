#include "store/etcd_json.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace overlord::store::etcd {
namespace {

using Json = nlohmann::json;

// One answer while it is read. A field that is not there has its default; one of another type spoils the whole answer.
class Reader {
 public:
  explicit Reader(std::string_view text) : root_(Json::parse(text, nullptr, /*allow_exceptions=*/false)) {
    good_ = root_.is_object();
  }
  const Json& root() const { return root_; }
  bool good() const { return good_; }
  void spoil() { good_ = false; }

  const Json* find(const Json& in, const char* name) {
    if (!in.is_object()) {
      good_ = false;
      return nullptr;
    }
    const auto at = in.find(name);
    return at == in.end() || at->is_null() ? nullptr : &*at;
  }
  int64_t number(const Json& in, const char* name) {
    const Json* const field = find(in, name);
    if (field == nullptr) return 0;
    if (field->is_number_unsigned()) {
      const auto value = field->get<uint64_t>();
      if (value <= uint64_t{std::numeric_limits<int64_t>::max()}) return static_cast<int64_t>(value);
    } else if (field->is_number_integer()) {
      return field->get<int64_t>();
    } else if (field->is_string()) {
      const auto& digits = field->get_ref<const std::string&>();
      int64_t value = 0;
      const char* const end = digits.data() + digits.size();
      const auto [stop, failure] = std::from_chars(digits.data(), end, value);
      if (failure == std::errc{} && stop == end) return value;
    }
    good_ = false;
    return 0;
  }
  // A revision is never negative.
  Revision revision(const Json& in, const char* name) {
    const int64_t value = number(in, name);
    if (value < 0) good_ = false;
    return value;
  }
  bool yes(const Json& in, const char* name) {
    const Json* const field = find(in, name);
    if (field == nullptr) return false;
    if (!field->is_boolean()) good_ = false;
    return field->is_boolean() && field->get<bool>();
  }
  std::string text(const Json& in, const char* name) {
    const Json* const field = find(in, name);
    if (field == nullptr) return {};
    if (field->is_string()) return field->get<std::string>();
    good_ = false;
    return {};
  }
  std::string bytes(const Json& in, const char* name) {
    auto decoded = from_base64(text(in, name));
    if (!decoded) good_ = false;
    return std::move(decoded).value_or(std::string());
  }
  template <typename F>
  void each(const Json& in, const char* name, F&& use) {
    const Json* const field = find(in, name);
    if (field == nullptr) return;
    if (!field->is_array()) good_ = false;
    for (const Json& item : *field) {
      if (!good_) return;
      use(item);
    }
  }
  Record record(const Json& in) {
    Record record{bytes(in, "key"), bytes(in, "value"), revision(in, "create_revision"), revision(in, "mod_revision"),
                  number(in, "lease")};
    if (record.key.empty() || record.modified == 0) good_ = false;
    return record;
  }
  Revision header_revision() {
    const Json* const header = find(root_, "header");
    return header == nullptr ? 0 : revision(*header, "revision");
  }

 private:
  Json root_;
  bool good_;
};

template <typename T>
std::optional<T> checked(const Reader& reader, T&& answer) {
  if (!reader.good()) return std::nullopt;
  return std::forward<T>(answer);
}

}  // namespace

std::optional<RangeAnswer> parse_range(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  RangeAnswer answer;
  answer.revision = reader.header_revision();
  if (answer.revision == 0) reader.spoil();
  answer.more = reader.yes(reader.root(), "more");
  reader.each(reader.root(), "kvs", [&](const Json& kv) { answer.records.push_back(reader.record(kv)); });
  return checked(reader, std::move(answer));
}

std::optional<CommitAnswer> parse_commit(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  CommitAnswer answer;
  answer.revision = reader.header_revision();
  if (answer.revision == 0) reader.spoil();
  answer.done = reader.yes(reader.root(), "succeeded");
  if (answer.done) return checked(reader, std::move(answer));
  reader.each(reader.root(), "responses", [&](const Json& response) {
    std::optional<Record> found;
    if (const Json* const range = reader.find(response, "response_range"); range != nullptr) {
      reader.each(*range, "kvs", [&](const Json& kv) { found = reader.record(kv); });
    }
    answer.found.push_back(std::move(found));
  });
  return checked(reader, std::move(answer));
}

std::optional<LeaseAnswer> parse_lease(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  const Json* const result = reader.find(reader.root(), "result");
  const Json& in = result == nullptr ? reader.root() : *result;
  const int64_t ttl = reader.number(in, "TTL");
  const LeaseAnswer answer{reader.number(in, "ID"), std::chrono::seconds(ttl)};
  if (answer.id == 0 || ttl < 0) reader.spoil();
  return checked(reader, LeaseAnswer(answer));
}

std::optional<std::string> parse_token(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  std::string token = reader.text(reader.root(), "token");
  // It becomes a header line.
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  if (token.empty() || !std::ranges::all_of(token, visible)) reader.spoil();
  return checked(reader, std::move(token));
}

std::optional<Refusal> parse_refusal(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  const Json* const error = reader.find(reader.root(), "error");
  if (error == nullptr) return std::nullopt;
  const bool of_stream = error->is_object();
  const Json& in = of_stream ? *error : reader.root();
  const int64_t code = reader.number(in, of_stream ? "grpc_code" : "code");
  Refusal refusal{code > 0 && code < 100 ? static_cast<int>(code) : 0,
                  reader.text(in, of_stream ? "message" : "error")};
  return checked(reader, std::move(refusal));
}

std::optional<WatchAnswer> parse_watch(std::string_view text) {
  Reader reader(text);
  if (!reader.good()) return std::nullopt;
  WatchAnswer answer;
  const Json* const result = reader.find(reader.root(), "result");
  if (result == nullptr) return std::nullopt;
  answer.created = reader.yes(*result, "created");
  answer.canceled = reader.yes(*result, "canceled");
  answer.fragment = reader.yes(*result, "fragment");
  answer.compacted = reader.revision(*result, "compact_revision");
  answer.reason = reader.text(*result, "cancel_reason");
  reader.each(*result, "events", [&](const Json& event) {
    const Json* const kv = reader.find(event, "kv");
    if (kv == nullptr) return reader.spoil();
    const std::string type = reader.text(event, "type");
    Event read{Event::Kind::put, reader.record(*kv)};
    if (type == "DELETE") {
      read = {Event::Kind::removed, {std::move(read.record.key), {}, 0, read.record.modified}};
    } else if (!type.empty() && type != "PUT") {
      reader.spoil();
    }
    // Later ones are never older.
    if (!answer.events.empty() && read.record.modified < answer.events.back().record.modified) reader.spoil();
    answer.events.push_back(std::move(read));
  });
  return checked(reader, std::move(answer));
}

}  // namespace overlord::store::etcd
