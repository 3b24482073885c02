#pragma once
// The tables of a SQLite store, and what one transaction does with them. Called with a Section open; no locks, no
// waiting. See sqlite_entries.cpp for the tables.

#include <string>

#include "store/sqlite_database.h"
#include "store/store.h"

namespace overlord::store {

// Times of leases: milliseconds since the boot, a clock that nobody sets and that runs while the machine sleeps. In
// another boot it begins anew, and leases get their whole ttl again.
struct LeaseClock {
  std::string boot;  // names this boot
  static LeaseClock of_this_boot();
  static int64_t now_ms();
};

struct Revisions {
  Revision now = 0;
  Revision compacted = 0;  // states before this one are forgotten
};

Answer<void> create_tables(Database& db);
Answer<Revisions> revisions(Database& db);
Answer<void> set_revision(Database& db, Revision revision);

Answer<std::optional<Record>> get_entry(Database& db, std::string_view key, Revision at);
Answer<Page> list_entries(Database& db, std::string_view prefix, const ListOptions& options);
// The changes of that revision and later ones, up to `now`; about kMaxPageBytes, but whole revisions.
Answer<Batch> changes_since(Database& db, std::string_view prefix, Revision from, Revision now);
Answer<void> compact_entries(Database& db, Revision revision);

// The revision of a creation or change that a condition speaks of; 0: there is no such key.
Answer<Revision> find_revision(Database& db, const Condition& condition);
// Both return how many keys changed.
Answer<size_t> apply(Database& db, const Change& change, Revision revision);
Answer<size_t> remove_of_lease(Database& db, LeaseId lease, Revision revision);

Answer<void> add_lease(Database& db, const LeaseClock& clock, const Lease& lease);
// Nothing: it is no more.
Answer<std::optional<Lease>> renew_lease(Database& db, const LeaseClock& clock, LeaseId lease);
Answer<bool> lease_lives(Database& db, const LeaseClock& clock, LeaseId lease);
Answer<void> drop_lease(Database& db, LeaseId lease);
// When the next one ends; INT64_MAX: there is none. One of another boot has ended.
Answer<int64_t> next_expiry(Database& db, const LeaseClock& clock);
// Ends one lease that is over, with its keys and at a revision of its own. False: there was none.
Answer<bool> expire_one(Database& db, const LeaseClock& clock);
// Gives leases of earlier boots their whole ttl.
Answer<void> adopt_leases(Database& db, const LeaseClock& clock);

}  // namespace overlord::store
