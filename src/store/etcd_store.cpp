#include "store/etcd_store.h"

#include <random>

#include "store/etcd_json.h"
#include "store/etcd_transport.h"
#include "store/etcd_watch.h"

namespace overlord::store {
namespace {

using etcd::EtcdTransport;

std::unexpected<Error> unreadable(Trouble trouble, const char* what) {
  return fail(trouble, std::string("etcd's answer to ") + what + " cannot be read");
}

class EtcdStore final : public Store {
 public:
  explicit EtcdStore(EtcdOptions options) : transport_(std::make_shared<EtcdTransport>(std::move(options))) {}

  Answer<std::optional<Record>> get(std::string_view key, Revision at) override {
    if (auto good = check_key(key); !good) return std::unexpected(good.error());
    auto found = range(etcd::get_request(key, at), nullptr);
    if (!found) return std::unexpected(found.error());
    if (found->records.empty()) return std::nullopt;
    return std::move(found->records.front());
  }

  Answer<Page> list(std::string_view prefix, const ListOptions& options) override {
    if (auto good = check(prefix, options); !good) return std::unexpected(good.error());
    const std::string begin = options.after.empty() ? std::string(prefix) : options.after + '\0';
    // etcd bounds a page by records alone. Eight of the largest fit into an answer.
    for (size_t limit = options.limit;; limit = limit > 8 ? 8 : limit / 2) {
      bool too_long = false;
      auto found = range(etcd::list_request(begin, prefix_end(prefix), limit, options.at, false), &too_long);
      if (too_long && limit > 1) continue;
      if (!found) return std::unexpected(found.error());
      return Page{std::move(found->records), options.at != 0 ? options.at : found->revision, found->more};
    }
  }

  Answer<Revision> commit(const Transaction& transaction) override {
    if (auto good = check(transaction); !good) return std::unexpected(good.error());
    const auto text = transport_->call("/v3/kv/txn", etcd::commit_request(transaction), EtcdTransport::Kind::once);
    if (!text) return std::unexpected(text.error());
    const auto answer = etcd::parse_commit(*text);
    if (!answer) return unreadable(Trouble::uncertain, "a transaction");
    if (answer->done) return answer->revision;
    return fail(Trouble::conflict, conflict(transaction, *answer));
  }

  Answer<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision from) override {
    if (prefix.size() > kMaxKey) return std::unexpected(check_key(prefix).error());
    if (from < 0) return fail(Trouble::refused, "a revision must not be negative");
    if (from == 0) {
      const auto now = range(etcd::list_request(prefix, prefix_end(prefix), 1, 0, true), nullptr);
      if (!now) return std::unexpected(now.error());
      from = now->revision + 1;
    }
    return std::make_unique<etcd::EtcdWatch>(transport_, std::string(prefix), from);
  }

  Answer<void> compact(Revision revision) override {
    const auto done =
        transport_->call("/v3/kv/compaction", etcd::compact_request(revision), EtcdTransport::Kind::repeatable);
    if (!done && done.error().trouble != Trouble::compacted) return std::unexpected(done.error());
    return {};
  }

  Answer<Lease> grant(std::chrono::seconds ttl) override {
    if (auto good = check_ttl(ttl); !good) return std::unexpected(good.error());
    // The id is ours, so that it can be asked for again when the answer is lost.
    std::random_device random;
    const auto id = static_cast<LeaseId>(((uint64_t{random()} << 32 | random()) >> 1) | 1);
    const auto text =
        transport_->call("/v3/lease/grant", etcd::grant_request(id, ttl), EtcdTransport::Kind::repeatable);
    if (!text) {
      if (text.error().message.find("lease already exists") == std::string::npos) return std::unexpected(text.error());
      return keep_alive(id);
    }
    return lease_of(*text, "the grant of a lease");
  }

  Answer<Lease> keep_alive(LeaseId lease) override {
    if (lease <= 0) return fail(Trouble::expired, "there is no lease " + std::to_string(lease));
    const auto text =
        transport_->call("/v3/lease/keepalive", etcd::lease_request(lease), EtcdTransport::Kind::repeatable);
    if (!text) return std::unexpected(text.error());
    return lease_of(*text, "a keep-alive");
  }

  Answer<void> revoke(LeaseId lease) override {
    if (lease <= 0) return {};
    const auto done = transport_->call("/v3/lease/revoke", etcd::lease_request(lease), EtcdTransport::Kind::repeatable);
    if (!done && done.error().trouble != Trouble::expired) return std::unexpected(done.error());
    return {};
  }

 private:
  Answer<etcd::RangeAnswer> range(const std::string& request, bool* too_long) {
    const auto text = transport_->call("/v3/kv/range", request, EtcdTransport::Kind::repeatable, too_long);
    if (!text) return std::unexpected(text.error());
    auto answer = etcd::parse_range(*text);
    if (!answer) return unreadable(Trouble::unavailable, "a read");
    return std::move(*answer);
  }

  static std::string conflict(const Transaction& transaction, const etcd::CommitAnswer& answer) {
    for (size_t i = 0; i < transaction.conditions.size() && i < answer.found.size(); ++i) {
      const Condition& condition = transaction.conditions[i];
      const auto& record = answer.found[i];
      const bool created = condition.field == Condition::Field::created;
      const Revision found = !record ? 0 : created ? record->created : record->modified;
      if ((found == condition.revision) != condition.equal) return unmet(condition, found);
    }
    return "a condition of the transaction does not hold";
  }

  static Answer<Lease> lease_of(std::string_view text, const char* what) {
    const auto answer = etcd::parse_lease(text);
    if (!answer) {
      // The keep-alive of a stream tells its errors in the body.
      if (const auto refusal = etcd::parse_refusal(text)) return fail(Trouble::unavailable, refusal->message);
      return unreadable(Trouble::unavailable, what);
    }
    if (answer->ttl.count() == 0) return fail(Trouble::expired, "lease " + std::to_string(answer->id) + " is no more");
    return Lease{answer->id, answer->ttl};
  }

  const std::shared_ptr<EtcdTransport> transport_;
};

}  // namespace

Answer<std::unique_ptr<Store>> open_etcd(EtcdOptions options) {
  if (options.members.empty()) return fail(Trouble::refused, "an etcd store needs the address of a member");
  for (const std::string& member : options.members) {
    if (!member.starts_with("http://") && !member.starts_with("https://")) {
      return fail(Trouble::refused, "a member of etcd is http://HOST:PORT or https://HOST:PORT, not " + member);
    }
  }
  return std::make_unique<EtcdStore>(std::move(options));
}

}  // namespace overlord::store
