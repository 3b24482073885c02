#pragma once
// Database: one connection to a SQLite file, and its errors in the store's words. One thread at a time.
//
//   Query query = db.query("SELECT value FROM entries WHERE key = ?");
//   query.bind(1, key);
//   while (query.step()) use(query.bytes(0));
//   if (auto good = query.result(); !good) return ...;

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/store.h"

namespace overlord::store {

class Query {
 public:
  Query(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  void bind(int place, int64_t number);
  void bind(int place, std::string_view bytes);  // as a blob; copied
  void bind_text(int place, std::string_view text);
  bool step();  // true: there is a row
  int64_t number(int column) const { return ::sqlite3_column_int64(statement_, column); }
  std::string bytes(int column) const;
  Answer<void> result() const;
  // Steps to the end.
  Answer<void> run();

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_;  // none: it could not be prepared
  int code_ = SQLITE_OK;
};

class Database {
 public:
  // The file is made, readable by its owner alone, when it does not exist. max_bytes: it never grows beyond; 0: no bound.
  static Answer<std::unique_ptr<Database>> open(const std::string& path, std::chrono::milliseconds busy_wait,
                                                uint64_t max_bytes);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // text: a literal; the prepared statement is kept under its address.
  Query query(const char* text);
  Answer<void> run(const char* text);
  // Of the file that are in use, with what the open transaction adds.
  Answer<uint64_t> used_bytes();
  bool in_transaction() const { return ::sqlite3_get_autocommit(db_) == 0; }
  // Of the last call: reading or writing the file failed, but not for want of space.
  bool disk_failed() const;

 private:
  Database() = default;
  Answer<uint64_t> ask_number(const char* text);

  sqlite3* db_ = nullptr;
  std::map<const char*, sqlite3_stmt*> prepared_;
};

// BEGIN until commit(); ROLLBACK when it ends without.
class Section {
 public:
  enum class Kind { read, write };
  static Answer<Section> begin(Database& db, Kind kind);
  Section(Section&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Section& operator=(Section&&) = delete;
  ~Section();
  Answer<void> commit();

 private:
  explicit Section(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace overlord::store
