// entries has a row for each put and each removal (created = 0) of a key. A row is what the key was from `revision` up
// to but without `ends`; that of the present has ends = kNever. So the state at any revision that is not compacted is a
// range of rows, and a watch reads them in the order of their ids, which is that of the changes.
#include "store/sqlite_entries.h"

#include <array>

namespace overlord::store {
namespace {

constexpr int64_t kFormat = 1;  // of the file; another program's number is refused
constexpr size_t kRecordOverhead = 64;

#define OVERLORD_NEVER "9223372036854775807"

constexpr std::array kTables = {
    "CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, compacted INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, revision INTEGER NOT "
    "NULL, ends INTEGER NOT NULL, created INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB NOT NULL) STRICT",
    "CREATE UNIQUE INDEX IF NOT EXISTS entries_key ON entries (key, revision)",
    "CREATE INDEX IF NOT EXISTS entries_revision ON entries (revision)",
    "CREATE INDEX IF NOT EXISTS entries_ended ON entries (ends) WHERE ends < " OVERLORD_NEVER,
    "CREATE INDEX IF NOT EXISTS entries_removed ON entries (revision) WHERE created = 0",
    "CREATE INDEX IF NOT EXISTS entries_lease ON entries (lease) WHERE lease <> 0 AND ends = " OVERLORD_NEVER,
    "CREATE TABLE IF NOT EXISTS leases (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " boot TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS leases_expires ON leases (boot, expires)",
    "INSERT OR IGNORE INTO state VALUES (1, 1, 1, 0)",
};

// prefix_end(), or what is behind all keys.
std::string end_or_all(std::string_view prefix) {
  std::string end = prefix_end(prefix);
  if (end.empty()) end.assign(kMaxKey + 1, '\xff');
  return end;
}

Record record_of(const Query& query) {
  return {query.bytes(0), query.bytes(1), query.number(2), query.number(3), query.number(4)};
}

// The newest row of a key, a removal too.
struct Newest {
  int64_t id = 0;
  Revision created = 0;
};

Answer<Newest> newest(Database& db, std::string_view key) {
  Query query = db.query("SELECT id, created FROM entries WHERE key = ? ORDER BY revision DESC LIMIT 1");
  query.bind(1, key);
  Newest found;
  if (query.step()) found = {query.number(0), query.number(1)};
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return found;
}

Answer<void> replace(Database& db, const Newest& old, std::string_view key, std::string_view value, Revision revision,
                     Revision created, LeaseId lease) {
  if (old.id != 0) {
    Query end = db.query("UPDATE entries SET ends = ? WHERE id = ?");
    end.bind(1, revision);
    end.bind(2, old.id);
    if (auto good = end.run(); !good) return good;
  }
  Query add = db.query("INSERT INTO entries (key, revision, ends, created, lease, value) VALUES (?, ?, " OVERLORD_NEVER
                       ", ?, ?, ?)");
  add.bind(1, key);
  add.bind(2, revision);
  add.bind(3, created);
  add.bind(4, lease);
  add.bind(5, value);
  return add.run();
}

Answer<size_t> remove_key(Database& db, std::string_view key, Revision revision) {
  const auto old = newest(db, key);
  if (!old) return std::unexpected(old.error());
  if (old->created == 0) return 0;
  if (auto good = replace(db, *old, key, {}, revision, 0, 0); !good) return std::unexpected(good.error());
  return 1;
}

Answer<size_t> remove_found(Database& db, Query& query, Revision revision) {
  std::vector<std::string> keys;
  while (query.step()) keys.push_back(query.bytes(0));
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  for (const std::string& key : keys) {
    if (auto removed = remove_key(db, key, revision); !removed) return removed;
  }
  return keys.size();
}

Answer<Revision> readable(Database& db, Revision at) {
  const auto known = revisions(db);
  if (!known) return std::unexpected(known.error());
  if (at > known->now) {
    return fail(Trouble::refused,
                "revision " + std::to_string(at) + " is in the future; it is now " + std::to_string(known->now));
  }
  if (at != 0 && at < known->compacted) {
    return fail(Trouble::compacted,
                "revision " + std::to_string(at) + " is forgotten; the oldest is " + std::to_string(known->compacted));
  }
  return at == 0 ? known->now : at;
}

}  // namespace

Answer<void> create_tables(Database& db) {
  for (const char* const table : kTables) {
    if (auto good = db.run(table); !good) return good;
  }
  Query query = db.query("SELECT format FROM state");
  const int64_t format = query.step() ? query.number(0) : 0;
  if (auto good = query.result(); !good) return good;
  if (format == kFormat) return {};
  return fail(Trouble::refused, "the store's file has format " + std::to_string(format) +
                                    "; this program knows format " + std::to_string(kFormat) +
                                    ": use the program that wrote it");
}

Answer<Revisions> revisions(Database& db) {
  Query query = db.query("SELECT revision, compacted FROM state");
  Revisions found;
  if (query.step()) found = {query.number(0), query.number(1)};
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return found;
}

Answer<void> set_revision(Database& db, Revision revision) {
  Query query = db.query("UPDATE state SET revision = ?");
  query.bind(1, revision);
  return query.run();
}

Answer<std::optional<Record>> get_entry(Database& db, std::string_view key, Revision at) {
  const auto revision = readable(db, at);
  if (!revision) return std::unexpected(revision.error());
  Query query = db.query(
      "SELECT key, value, created, revision, lease FROM entries WHERE key = ? AND revision <= ? ORDER BY revision DESC "
      "LIMIT 1");
  query.bind(1, key);
  query.bind(2, *revision);
  std::optional<Record> found;
  if (query.step() && query.number(2) != 0) found = record_of(query);
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return found;
}

Answer<Page> list_entries(Database& db, std::string_view prefix, const ListOptions& options) {
  const auto revision = readable(db, options.at);
  if (!revision) return std::unexpected(revision.error());
  Query query = db.query(
      "SELECT key, value, created, revision, lease FROM entries WHERE key >= ? AND key < ? AND revision <= ? AND ends "
      "> "
      "? AND created <> 0 ORDER BY key LIMIT ?");
  query.bind(1, options.after.empty() ? std::string(prefix) : options.after + '\0');
  query.bind(2, end_or_all(prefix));
  query.bind(3, *revision);
  query.bind(4, *revision);
  query.bind(5, static_cast<int64_t>(options.limit) + 1);
  Page page;
  page.revision = *revision;
  size_t bytes = 0;
  while (query.step()) {
    page.more = page.records.size() == options.limit || bytes >= kMaxPageBytes;
    if (page.more) return page;
    page.records.push_back(record_of(query));
    bytes += page.records.back().key.size() + page.records.back().value.size() + kRecordOverhead;
  }
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return page;
}

Answer<Batch> changes_since(Database& db, std::string_view prefix, Revision from, Revision now) {
  Query query = db.query(
      "SELECT key, value, created, revision, lease FROM entries WHERE revision >= ? AND revision <= ? AND key >= ? AND "
      "key < ? ORDER BY revision, id");
  query.bind(1, from);
  query.bind(2, now);
  query.bind(3, prefix);
  query.bind(4, end_or_all(prefix));
  Batch batch;
  batch.next = now + 1;
  size_t bytes = 0;
  while (query.step()) {
    Record record = record_of(query);
    if (bytes >= kMaxPageBytes && record.modified != batch.events.back().record.modified) {
      batch.next = record.modified;
      return batch;
    }
    bytes += record.key.size() + record.value.size() + kRecordOverhead;
    const bool removed = record.created == 0;
    batch.events.push_back({removed ? Event::Kind::removed : Event::Kind::put, std::move(record)});
  }
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return batch;
}

Answer<void> compact_entries(Database& db, Revision revision) {
  for (const char* const text :
       {"DELETE FROM entries WHERE ends < " OVERLORD_NEVER " AND ends <= ?",
        "DELETE FROM entries WHERE created = 0 AND revision <= ?", "UPDATE state SET compacted = ?"}) {
    Query query = db.query(text);
    query.bind(1, revision);
    if (auto good = query.run(); !good) return good;
  }
  return {};
}

Answer<Revision> find_revision(Database& db, const Condition& condition) {
  Query query = db.query("SELECT created, revision FROM entries WHERE key = ? ORDER BY revision DESC LIMIT 1");
  query.bind(1, condition.key);
  Revision found = 0;
  if (query.step() && query.number(0) != 0) found = query.number(condition.field == Condition::Field::created ? 0 : 1);
  if (auto good = query.result(); !good) return std::unexpected(good.error());
  return found;
}

Answer<size_t> apply(Database& db, const Change& change, Revision revision) {
  switch (change.kind) {
    case Change::Kind::put: {
      const auto old = newest(db, change.key);
      if (!old) return std::unexpected(old.error());
      const Revision created = old->created != 0 ? old->created : revision;
      auto good = replace(db, *old, change.key, change.value, revision, created, change.lease);
      if (!good) return std::unexpected(good.error());
      return 1;
    }
    case Change::Kind::remove: return remove_key(db, change.key, revision);
    case Change::Kind::remove_prefix: {
      Query query =
          db.query("SELECT key FROM entries WHERE key >= ? AND key < ? AND ends = " OVERLORD_NEVER " AND created <> 0");
      query.bind(1, change.key);
      query.bind(2, end_or_all(change.key));
      return remove_found(db, query, revision);
    }
  }
  return 0;
}

Answer<size_t> remove_of_lease(Database& db, LeaseId lease, Revision revision) {
  Query query = db.query("SELECT key FROM entries WHERE lease = ? AND lease <> 0 AND ends = " OVERLORD_NEVER);
  query.bind(1, lease);
  return remove_found(db, query, revision);
}

}  // namespace overlord::store
