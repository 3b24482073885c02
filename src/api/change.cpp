#include "api/change.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <set>
#include <thread>

#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

// Everybody who changes something takes the next number of the audit, so two at once are a conflict for one of them.
constexpr int kTries = 60;
constexpr uint16_t kFirstFrontPort = 20'000;
constexpr uint64_t kPruneEach = 64;  // changes

void pause(int tried) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int most = std::min(1 + 2 * tried, 40);
  std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(0, most)(random)));
}

model::AuditRecord audit_record(const Call& call, uint64_t number, int status) {
  return {.number = number,
          .at = model::now(),
          .user = call.who.user,
          .from = call.request.peer,
          .request_id = call.request_id,
          .action = call.request.method + " " + call.request.path,
          .target = call.target,
          .detail = body_for_audit(call.request.body, call.request.header("content-type")),
          .status = status};
}

Result<void> add_audit(Draft& draft, const Call& call, int status, uint64_t* number) {
  const auto next = draft.next("audit");
  if (!next) return std::unexpected(next.error());
  *number = *next;
  draft.put(keys::of(keys::kAudit, keys::ordered(*next)), model::to_json(audit_record(call, *next, status)));
  return {};
}

// Records that are older than the newest `kept`.
void prune_audit(store::Store& store, uint64_t newest, uint64_t kept) {
  if (newest <= kept) return;
  const auto oldest = store.list(keys::kAudit, {.limit = store::kMaxOperations});
  if (!oldest) return log_warn("audit: old records stay: ", oldest.error().message);
  const std::string border = keys::of(keys::kAudit, keys::ordered(newest - kept));
  store::Transaction removal;
  for (const store::Record& record : oldest->records) {
    if (record.key <= border) removal.changes.push_back(store::remove(record.key));
  }
  if (removal.changes.empty()) return;
  if (const auto done = store.commit(removal); !done) log_warn("audit: old records stay: ", done.error().message);
}

}  // namespace

Result<Draft::Sequence*> Draft::sequence(const std::string& key) {
  if (const auto found = sequences_.find(key); found != sequences_.end()) return &found->second;
  const auto record = store_->get(key);
  if (!record) return refuse(record.error());
  Sequence sequence;
  if (*record) {
    const std::string& text = (*record)->value;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), sequence.last);
    if (wrong != std::errc{} || end == text.data())
      return refuse("internal", "what stands at " + key + " is no number");
    sequence.revision = (*record)->modified;
  }
  return &sequences_.emplace(key, sequence).first->second;
}

Result<uint64_t> Draft::next(const std::string& name) {
  const auto found = sequence(keys::of(keys::kSequences, name));
  if (!found) return std::unexpected(found.error());
  return ++(*found)->last;
}

Result<uint16_t> Draft::next_front_port() {
  const auto found = sequence(std::string(keys::kPortSequence));
  if (!found) return std::unexpected(found.error());
  const auto page = store::list_all(*store_, keys::kClusters);
  if (!page) return refuse(page.error());
  std::set<std::string_view> used;
  for (const store::Record& record : page->records) {
    if (record.key.ends_with("/fe-port")) used.insert(record.value);
  }
  uint64_t& last = (*found)->last;
  for (int tried = kFirstFrontPort; tried <= UINT16_MAX; ++tried) {
    last = last < kFirstFrontPort || last >= UINT16_MAX ? kFirstFrontPort : last + 1;
    if (!used.contains(std::to_string(last))) return static_cast<uint16_t>(last);
  }
  return conflict("all front-end ports from 20000 on are in use");
}

store::Transaction Draft::transaction() const {
  store::Transaction out{conditions, changes};
  for (const auto& [key, sequence] : sequences_) {
    out.conditions.push_back(store::modified_at(key, sequence.revision));
    out.changes.push_back(store::put(key, std::to_string(sequence.last)));
  }
  return out;
}

Result<http::Response> change(Call& call, const Make& make) {
  for (int tried = 0;; ++tried) {
    Draft draft(call.store());
    auto response = make(draft);
    if (!response) return response;
    if (draft.changes.empty() && !draft.audit_only) return response;  // nothing to do
    uint64_t number = 0;
    if (auto added = add_audit(draft, call, response->status, &number); !added) return std::unexpected(added.error());
    const auto done = call.store().commit(draft.transaction());
    if (done) {
      call.service.counters.changes.fetch_add(1, std::memory_order_relaxed);
      if (draft.etag) response->headers.emplace_back("ETag", etag_of(*done));
      if (number % kPruneEach == 0) {
        prune_audit(call.store(), number, static_cast<uint64_t>(call.service.config.audit_records));
      }
      return response;
    }
    if (done.error().trouble != store::Trouble::conflict) return refuse(done.error());
    if (tried + 1 == kTries) {
      return std::unexpected(ApiError{.status = 503,
                                      .code = "unavailable",
                                      .message = "too many change things at once; nothing was changed",
                                      .retry_after = 1});
    }
    pause(tried);
  }
}

void audit_refusal(Call& call, int status) {
  // Strangers may not fill the store: of refusals without a token only some are kept, all are in the log.
  static LogEvery every(std::chrono::seconds(60), LogEvery::kBurst);
  log_info("api: ", call.request_id, " ", call.request.peer, " ", call.who.user.empty() ? "-" : call.who.user, " ",
           call.request.method, " ", call.request.path, ": refused with ", status);
  if (call.who.user.empty() && !every.next()) return;
  for (int tried = 0; tried < kTries; ++tried) {
    Draft draft(call.store());
    uint64_t number = 0;
    std::string why;
    if (const auto added = add_audit(draft, call, status, &number); added) {
      const auto done = call.store().commit(draft.transaction());
      if (done) return;
      why = done.error().message;
      if (done.error().trouble == store::Trouble::conflict) {
        pause(tried);
        continue;
      }
    } else {
      why = added.error().message;
    }
    return log_error("audit: ", call.request_id, " cannot be recorded: ", why);
  }
  log_error("audit: ", call.request_id, " cannot be recorded: too many change things at once");
}

std::string etag_of(store::Revision revision) { return "\"" + std::to_string(revision) + "\""; }

Result<void> check_if_match(const http::Request& request, store::Revision revision) {
  std::string_view tags = request.header("if-match");
  if (tags.empty() || tags == "*") return {};
  const std::string wanted = std::to_string(revision);
  while (!tags.empty()) {
    const size_t open = tags.find('"');
    if (open == std::string_view::npos) break;
    tags.remove_prefix(open + 1);
    const size_t close = tags.find('"');
    // What stands behind the '-' is about the shown state, not about the record.
    if (tags.substr(0, std::min(close, tags.find('-'))) == wanted) return {};
    if (close == std::string_view::npos) break;
    tags.remove_prefix(close + 1);
  }
  return refuse("precondition_failed", "it has changed since: its ETag begins with \"" + wanted + "\" now");
}

}  // namespace overlord::api
