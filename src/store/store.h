#pragma once
// Store: the state of the platform as keys and values. Small, consistent, and watched: every change is a transaction
// that gets a revision, a number that only grows and that all readers agree on. Two implementations with one behaviour:
// a SQLite file for one machine (sqlite_store.h), etcd for several (etcd_store.h); conformance_test.cpp runs on both.
//
// What is promised:
// * A transaction is done whole or not at all, and what was acknowledged survives any crash.
// * A read sees everything that was acknowledged before it began.
// * All changes of a transaction have its revision, and a watch delivers them together, each change once and in order.
//
// Every call may wait, for seconds at worst, and may be made by any thread. Keys and values are bytes; keys are ordered
// by memcmp. Errors are values: see Trouble.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::store {

using Revision = int64_t;  // 0: before everything
using LeaseId = int64_t;   // 0: none

// What a caller can do about it.
enum class Trouble {
  unavailable,  // nothing was changed; the same call can succeed later
  uncertain,    // no answer to a change: it may have been made, or be made yet. Read, and try again with conditions
                // that only one of the tries can meet
  conflict,     // a condition did not hold; nothing was changed
  refused,      // the same call will never succeed: too large, malformed, forbidden, read-only
  expired,      // the lease is no more
  compacted,    // the revision asked for is forgotten: list anew and go on from there
};
const char* to_string(Trouble trouble);

struct Error {
  Trouble trouble = Trouble::unavailable;
  std::string message;  // what failed and, where there is one, the fix
};

template <typename T>
using Answer = std::expected<T, Error>;

inline std::unexpected<Error> fail(Trouble trouble, std::string message) {
  return std::unexpected<Error>(Error{trouble, std::move(message)});
}

// Bounds, the same for both implementations and within those of an etcd that is not tuned. What is beyond is refused.
inline constexpr size_t kMaxKey = 1024;                   // bytes
inline constexpr size_t kMaxValue = 1024 * 1024;          // bytes
inline constexpr size_t kMaxTransaction = 1024 * 1024;    // bytes of all keys and values
inline constexpr size_t kMaxOperations = 128;             // conditions, and changes, of a transaction
inline constexpr size_t kMaxPage = 1000;                  // records
inline constexpr size_t kMaxPageBytes = 8 * 1024 * 1024;  // about; a page always has a record if there is one
inline constexpr std::chrono::seconds kMinTtl{1};
inline constexpr std::chrono::seconds kMaxTtl{24 * 3600};

struct Record {
  std::string key;
  std::string value;
  Revision created = 0;   // of the put that made the key
  Revision modified = 0;  // of the last put
  LeaseId lease = 0;      // the key goes when this lease does
  bool operator==(const Record&) const = default;
};

struct ListOptions {
  std::string after{};      // the key that the page before ended with
  size_t limit = kMaxPage;  // records of a page
  Revision at = 0;          // as the store was then; 0: now
};

struct Page {
  std::vector<Record> records;  // by key
  Revision revision = 0;        // the state that the page shows; give it as `at` for the next page
  bool more = false;            // there are further records after the last one
};

// A condition on a key as it is when the transaction is made. Revision 0: the key does not exist.
struct Condition {
  enum class Field { created, modified };
  std::string key;
  Field field = Field::modified;
  bool equal = true;
  Revision revision = 0;
};
inline Condition unchanged(const Record& record) {
  return {record.key, Condition::Field::modified, true, record.modified};
}
inline Condition modified_at(std::string key, Revision revision) {
  return {std::move(key), Condition::Field::modified, true, revision};
}
inline Condition created_at(std::string key, Revision revision) {
  return {std::move(key), Condition::Field::created, true, revision};
}
inline Condition absent(std::string key) { return {std::move(key), Condition::Field::created, true, 0}; }
inline Condition exists(std::string key) { return {std::move(key), Condition::Field::created, false, 0}; }

struct Change {
  enum class Kind { put, remove, remove_prefix };
  Kind kind = Kind::put;
  std::string key;
  std::string value{};
  LeaseId lease = 0;
};
inline Change put(std::string key, std::string value, LeaseId lease = 0) {
  return {Change::Kind::put, std::move(key), std::move(value), lease};
}
// Removing what does not exist is no change and no error.
inline Change remove(std::string key) { return {Change::Kind::remove, std::move(key)}; }
inline Change remove_prefix(std::string prefix) { return {Change::Kind::remove_prefix, std::move(prefix)}; }

struct Transaction {
  std::vector<Condition> conditions{};  // all must hold
  std::vector<Change> changes{};        // no key may be meant by two of them
};

struct Event {
  enum class Kind { put, removed };
  Kind kind = Kind::put;
  Record record;  // removed: key and modified alone
  bool operator==(const Event&) const = default;
};

struct Batch {
  std::vector<Event> events;  // in the order of revisions; never part of a transaction
  Revision next = 0;          // a watch from here goes on behind this batch
};

// One thread at a time, but stop().
class Watch {
 public:
  virtual ~Watch() = default;
  // What has happened since the last batch; waits for it for so long at most, and is empty when nothing happened.
  // After `unavailable` a further call tries again and goes on where it was. After any other error the watch is over.
  virtual Answer<Batch> next(std::chrono::milliseconds patience) = 0;
  // Ends a next() that waits, and those that follow, with an empty batch. Any thread.
  virtual void stop() = 0;
};

struct Lease {
  LeaseId id = 0;
  std::chrono::seconds ttl{};  // from the moment of the answer; may be longer than asked for
};

class Store {
 public:
  virtual ~Store() = default;

  // at: as the store was then; 0: now.
  virtual Answer<std::optional<Record>> get(std::string_view key, Revision at = 0) = 0;
  // The records whose key begins with the prefix.
  virtual Answer<Page> list(std::string_view prefix, const ListOptions& options = {}) = 0;
  // The revision of the store afterwards; without a change it stays what it was.
  virtual Answer<Revision> commit(const Transaction& transaction) = 0;
  // All changes from that revision on, it included, of keys that begin with the prefix; 0: those that follow now.
  virtual Answer<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision from) = 0;
  // Forgets how the store was before that revision: get and list at it still work, watches from the one after it.
  virtual Answer<void> compact(Revision revision) = 0;

  // A lease that nobody keeps alive ends after its ttl, or soon after, and takes the keys along that were put with it.
  virtual Answer<Lease> grant(std::chrono::seconds ttl) = 0;
  // From now on the whole ttl again.
  virtual Answer<Lease> keep_alive(LeaseId lease) = 0;
  // Ends it now. A lease that is no more is no error.
  virtual Answer<void> revoke(LeaseId lease) = 0;
};

// The first key behind all that begin with the prefix; empty: there is none.
std::string prefix_end(std::string_view prefix);

// What both implementations refuse alike.
Answer<void> check_key(std::string_view key);
Answer<void> check(const Transaction& transaction);
Answer<void> check(std::string_view prefix, const ListOptions& options);
Answer<void> check_ttl(std::chrono::seconds ttl);
// The message of a conflict.
std::string unmet(const Condition& condition, Revision found);

// All pages of one revision, of `most` records at most; more are refused.
Answer<Page> list_all(Store& store, std::string_view prefix, size_t most = 200'000);

}  // namespace overlord::store
