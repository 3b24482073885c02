#include "store/sqlite_store.h"

#include <algorithm>
#include <random>

#include "store/sqlite_attendant.h"

namespace overlord::store {
namespace {

// What a store and its watches share; the watches may outlive the store.
struct Shared {
  std::mutex mutex;  // of reader
  std::unique_ptr<Database> reader;
  std::unique_ptr<SqliteAttendant> attendant;
};

class SqliteWatch final : public Watch {
 public:
  SqliteWatch(std::shared_ptr<Shared> shared, std::string prefix, Revision from)
      : shared_(std::move(shared)), prefix_(std::move(prefix)), next_(from) {}

  Answer<Batch> next(std::chrono::milliseconds patience) override {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      if (shared_->attendant->is_set(stopped_)) return Batch{{}, next_};
      auto batch = read();
      if (!batch) return batch;
      next_ = batch->next;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (!batch->events.empty() || left.count() <= 0) return batch;
      shared_->attendant->wait_for(next_, stopped_, left);
    }
  }
  void stop() override { shared_->attendant->stop(stopped_); }

 private:
  Answer<Batch> read() {
    const std::scoped_lock lock(shared_->mutex);
    Database& db = *shared_->reader;
    const auto section = Section::begin(db, Section::Kind::read);
    if (!section) return std::unexpected(section.error());
    const auto known = revisions(db);
    if (!known) return std::unexpected(known.error());
    if (next_ <= known->compacted) {
      return fail(Trouble::compacted, "changes since revision " + std::to_string(next_) +
                                          " are forgotten; those since " + std::to_string(known->compacted + 1) +
                                          " are known");
    }
    if (known->now < next_) return Batch{{}, next_};
    return changes_since(db, prefix_, next_, known->now);
  }

  const std::shared_ptr<Shared> shared_;
  const std::string prefix_;
  Revision next_;
  bool stopped_ = false;  // guarded by the attendant
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::shared_ptr<Shared> shared, std::unique_ptr<Database> writer, LeaseClock clock, uint64_t max_bytes)
      : shared_(std::move(shared)), writer_(std::move(writer)), clock_(std::move(clock)), max_bytes_(max_bytes) {}

  Answer<std::optional<Record>> get(std::string_view key, Revision at) override {
    if (auto good = check_key(key); !good) return std::unexpected(good.error());
    return reading<std::optional<Record>>([&](Database& db) { return get_entry(db, key, at); });
  }

  Answer<Page> list(std::string_view prefix, const ListOptions& options) override {
    if (auto good = check(prefix, options); !good) return std::unexpected(good.error());
    return reading<Page>([&](Database& db) { return list_entries(db, prefix, options); });
  }

  Answer<Revision> commit(const Transaction& transaction) override {
    if (auto good = check(transaction); !good) return std::unexpected(good.error());
    return writing<Revision>([&](Database& db) { return carry_out(db, transaction); });
  }

  Answer<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision from) override {
    if (prefix.size() > kMaxKey) return std::unexpected(check_key(prefix).error());
    if (from < 0) return fail(Trouble::refused, "a revision must not be negative");
    if (from == 0) {
      const auto known = reading<Revisions>([](Database& db) { return revisions(db); });
      if (!known) return std::unexpected(known.error());
      from = known->now + 1;
    }
    return std::make_unique<SqliteWatch>(shared_, std::string(prefix), from);
  }

  Answer<void> compact(Revision revision) override {
    const auto done = writing<bool>([&](Database& db) -> Answer<bool> {
      const auto known = revisions(db);
      if (!known) return std::unexpected(known.error());
      if (revision <= known->compacted) return false;
      if (revision > known->now) {
        return fail(Trouble::refused, "revision " + std::to_string(revision) + " is in the future");
      }
      if (auto good = compact_entries(db, revision); !good) return std::unexpected(good.error());
      return true;
    });
    if (!done) return std::unexpected(done.error());
    return {};
  }

  Answer<Lease> grant(std::chrono::seconds ttl) override {
    if (auto good = check_ttl(ttl); !good) return std::unexpected(good.error());
    return writing<Lease>([&](Database& db) -> Answer<Lease> {
      const Lease lease{new_lease_id(), ttl};
      if (auto good = add_lease(db, clock_, lease); !good) return std::unexpected(good.error());
      return lease;
    });
  }

  Answer<Lease> keep_alive(LeaseId lease) override {
    return writing<Lease>([&](Database& db) -> Answer<Lease> {
      const auto renewed = renew_lease(db, clock_, lease);
      if (!renewed) return std::unexpected(renewed.error());
      if (!*renewed) return gone(lease);
      return **renewed;
    });
  }

  Answer<void> revoke(LeaseId lease) override {
    const auto done = writing<bool>([&](Database& db) -> Answer<bool> {
      const auto known = revisions(db);
      if (!known) return std::unexpected(known.error());
      const auto removed = remove_of_lease(db, lease, known->now + 1);
      if (!removed) return std::unexpected(removed.error());
      if (auto good = drop_lease(db, lease); !good) return std::unexpected(good.error());
      if (*removed == 0) return true;
      if (auto good = set_revision(db, known->now + 1); !good) return std::unexpected(good.error());
      return true;
    });
    if (!done) return std::unexpected(done.error());
    return {};
  }

 private:
  static std::unexpected<Error> gone(LeaseId lease) {
    return fail(Trouble::expired, "lease " + std::to_string(lease) + " is no more");
  }

  static LeaseId new_lease_id() {
    std::random_device random;
    uint64_t id = 0;
    do {
      id = (uint64_t{random()} << 32 | random()) >> 1;
    } while (id == 0);
    return static_cast<LeaseId>(id);
  }

  template <typename T, typename F>
  Answer<T> reading(F&& what) {
    const std::scoped_lock lock(shared_->mutex);
    const auto section = Section::begin(*shared_->reader, Section::Kind::read);
    if (!section) return std::unexpected(section.error());
    return what(*shared_->reader);
  }

  // Commits when what() succeeds, else everything stays as it was.
  template <typename T, typename F>
  Answer<T> writing(F&& what) {
    const std::scoped_lock lock(mutex_);
    auto section = Section::begin(*writer_, Section::Kind::write);
    if (!section) return std::unexpected(section.error());
    Answer<T> made = what(*writer_);
    if (!made) return made;
    if (auto good = section->commit(); !good) return std::unexpected(good.error());
    shared_->attendant->nudge();
    return made;
  }

  // Only puts find the store full before it really is, so that it can be emptied.
  Answer<void> check_room(Database& db, const Transaction& transaction) const {
    const auto is_put = [](const Change& change) { return change.kind == Change::Kind::put; };
    if (max_bytes_ == 0 || std::ranges::none_of(transaction.changes, is_put)) return {};
    const auto used = db.used_bytes();
    if (!used) return std::unexpected(used.error());
    if (*used <= max_bytes_) return {};
    return fail(Trouble::unavailable, "the store is full: its " + std::to_string(max_bytes_) +
                                          " bytes are used; remove records and compact it, or raise its size");
  }

  Answer<Revision> carry_out(Database& db, const Transaction& transaction) {
    for (const Condition& condition : transaction.conditions) {
      const auto found = find_revision(db, condition);
      if (!found) return found;
      if ((*found == condition.revision) != condition.equal) return fail(Trouble::conflict, unmet(condition, *found));
    }
    const auto known = revisions(db);
    if (!known) return std::unexpected(known.error());
    size_t changed = 0;
    for (const Change& change : transaction.changes) {
      if (change.kind == Change::Kind::put && change.lease != 0) {
        const auto lives = lease_lives(db, clock_, change.lease);
        if (!lives) return std::unexpected(lives.error());
        if (!*lives) return gone(change.lease);
      }
      const auto count = apply(db, change, known->now + 1);
      if (!count) return std::unexpected(count.error());
      changed += *count;
    }
    if (changed == 0) return known->now;
    if (auto good = check_room(db, transaction); !good) return std::unexpected(good.error());
    if (auto good = set_revision(db, known->now + 1); !good) return std::unexpected(good.error());
    return known->now + 1;
  }

  const std::shared_ptr<Shared> shared_;
  std::mutex mutex_;  // of writer_
  const std::unique_ptr<Database> writer_;
  const LeaseClock clock_;
  const uint64_t max_bytes_;
};

// How far beyond max_bytes the file may grow by what is no put.
uint64_t with_room(uint64_t max_bytes) {
  constexpr uint64_t kLeastRoom = 1024 * 1024;
  return max_bytes == 0 ? 0 : max_bytes + std::max(max_bytes / 16, kLeastRoom);
}

}  // namespace

Answer<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options) {
  LeaseClock clock = LeaseClock::of_this_boot();
  auto writer = Database::open(path, options.busy_wait, with_room(options.max_bytes));
  if (!writer) return std::unexpected(writer.error());
  {
    auto section = Section::begin(**writer, Section::Kind::write);
    if (!section) return std::unexpected(section.error());
    auto good = create_tables(**writer);
    if (good) good = adopt_leases(**writer, clock);
    // What ended while nobody had the store open is gone before anybody reads.
    for (Answer<bool> ended = true; good && *ended;) {
      ended = expire_one(**writer, clock);
      if (!ended) good = std::unexpected(ended.error());
    }
    if (good) good = section->commit();
    if (!good) return std::unexpected(good.error());
  }
  auto shared = std::make_shared<Shared>();
  auto reader = Database::open(path, options.busy_wait, with_room(options.max_bytes));
  if (!reader) return std::unexpected(reader.error());
  auto attending = Database::open(path, options.busy_wait, with_room(options.max_bytes));
  if (!attending) return std::unexpected(attending.error());
  shared->reader = std::move(*reader);
  shared->attendant = std::make_unique<SqliteAttendant>(path, std::move(*attending), clock);
  return std::make_unique<SqliteStore>(std::move(shared), std::move(*writer), std::move(clock), options.max_bytes);
}

}  // namespace overlord::store
