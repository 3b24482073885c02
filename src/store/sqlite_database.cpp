#include "store/sqlite_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace overlord::store {
namespace {

Trouble trouble_of(int code) {
  switch (code & 0xff) {
    case SQLITE_READONLY:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_TOOBIG:
    case SQLITE_MISUSE:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR: return Trouble::refused;
    default: return Trouble::unavailable;  // busy, full, out of descriptors or memory, errors of the disk
  }
}

std::string reason(sqlite3* db, int code) {
  std::string text = db != nullptr ? ::sqlite3_errmsg(db) : ::sqlite3_errstr(code);
  const char* const file = db != nullptr ? ::sqlite3_db_filename(db, "main") : nullptr;
  if (file != nullptr && *file != '\0') text = std::string(file) + ": " + text;
  if ((code & 0xff) == SQLITE_FULL) text += "; free space on the disk, or raise the store's size";
  if ((code & 0xff) == SQLITE_BUSY) text += "; another process is writing for long";
  return text;
}

}  // namespace

Query::~Query() {
  if (statement_ == nullptr) return;
  ::sqlite3_reset(statement_);
  ::sqlite3_clear_bindings(statement_);
}

void Query::bind(int place, int64_t number) {
  if (statement_ != nullptr && code_ == SQLITE_OK) code_ = ::sqlite3_bind_int64(statement_, place, number);
}

void Query::bind(int place, std::string_view bytes) {
  if (statement_ == nullptr || code_ != SQLITE_OK) return;
  // Without an address it would be NULL.
  const char* const data = bytes.empty() ? "" : bytes.data();
  code_ = ::sqlite3_bind_blob64(statement_, place, data, bytes.size(), SQLITE_TRANSIENT);
}

void Query::bind_text(int place, std::string_view text) {
  if (statement_ == nullptr || code_ != SQLITE_OK) return;
  code_ = ::sqlite3_bind_text64(statement_, place, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

bool Query::step() {
  if (statement_ == nullptr) {
    code_ = ::sqlite3_errcode(db_);
    return false;
  }
  if (code_ != SQLITE_OK && code_ != SQLITE_ROW) return false;
  code_ = ::sqlite3_step(statement_);
  return code_ == SQLITE_ROW;
}

std::string Query::bytes(int column) const {
  const void* const data = ::sqlite3_column_blob(statement_, column);
  const auto size = static_cast<size_t>(::sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

Answer<void> Query::result() const {
  if (code_ == SQLITE_DONE || code_ == SQLITE_ROW) return {};
  return fail(trouble_of(code_), reason(db_, code_));
}

Answer<void> Query::run() {
  while (step()) {
  }
  return result();
}

Answer<std::unique_ptr<Database>> Database::open(const std::string& path, std::chrono::milliseconds busy_wait,
                                                 uint64_t max_bytes) {
  // SQLite gives its other files the mode of this one. They hold passwords.
  if (const int fd = ::open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0600); fd >= 0) {
    ::close(fd);
  } else {
    return fail(Trouble::refused, "cannot open " + path + ": " + std::strerror(errno));
  }
  std::unique_ptr<Database> made(new Database);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (const int code = ::sqlite3_open_v2(path.c_str(), &made->db_, flags, nullptr); code != SQLITE_OK) {
    return fail(trouble_of(code), reason(made->db_, code));
  }
  ::sqlite3_busy_timeout(made->db_, static_cast<int>(busy_wait.count()));
  // FULL: what was acknowledged is on the disk, also when the machine loses its power.
  auto good = made->run("PRAGMA journal_mode = WAL");
  if (good) good = made->run("PRAGMA synchronous = FULL");
  if (good && max_bytes > 0) {
    const auto page = made->ask_number("PRAGMA page_size");
    if (!page) return std::unexpected(page.error());
    const std::string limit = "PRAGMA max_page_count = " + std::to_string(max_bytes / *page);
    if (::sqlite3_exec(made->db_, limit.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      const int code = ::sqlite3_errcode(made->db_);
      good = fail(trouble_of(code), reason(made->db_, code));
    }
  }
  if (!good) return std::unexpected(good.error());
  return made;
}

Database::~Database() {
  for (const auto& [text, statement] : prepared_) ::sqlite3_finalize(statement);
  ::sqlite3_close_v2(db_);
}

Query Database::query(const char* text) {
  sqlite3_stmt*& statement = prepared_[text];
  if (statement == nullptr) {
    ::sqlite3_prepare_v3(db_, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  }
  return {db_, statement};
}

Answer<uint64_t> Database::ask_number(const char* text) {
  Query asked = query(text);
  const uint64_t number = asked.step() ? static_cast<uint64_t>(asked.number(0)) : 0;
  if (auto good = asked.result(); !good) return std::unexpected(good.error());
  return number;
}

Answer<uint64_t> Database::used_bytes() {
  const auto page = ask_number("PRAGMA page_size");
  const auto all = ask_number("PRAGMA page_count");
  const auto unused = ask_number("PRAGMA freelist_count");
  for (const auto& asked : {page, all, unused}) {
    if (!asked) return asked;
  }
  return *page * (*all - *unused);
}

bool Database::disk_failed() const { return (::sqlite3_errcode(db_) & 0xff) == SQLITE_IOERR; }

Answer<void> Database::run(const char* text) { return query(text).run(); }

Answer<Section> Section::begin(Database& db, Kind kind) {
  if (auto good = db.run(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"); !good) {
    return std::unexpected(good.error());
  }
  return Section(db);
}

Answer<void> Section::commit() {
  auto done = db_->run("COMMIT");
  if (done) {
    db_ = nullptr;
  } else if (db_->disk_failed()) {
    // The whole transaction may stand in the log; who reads the log next decides.
    done.error().trouble = Trouble::uncertain;
  }
  return done;
}

Section::~Section() {
  // Some errors have rolled back already.
  if (db_ == nullptr || !db_->in_transaction()) return;
  if (auto good = db_->run("ROLLBACK"); !good) log_error("store: cannot roll back: ", good.error().message);
}

}  // namespace overlord::store
