#pragma once
// Changes: what a request changes is one transaction, and the audit record of it is part of that transaction. Nothing is
// half made, and nothing is made that is not in the audit.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/records.h"

namespace overlord::api {

// What a transaction will be. Conditions come with what was read; see Store.
class Draft {
 public:
  explicit Draft(store::Store& store) : store_(&store) {}

  std::vector<store::Condition> conditions{};
  std::vector<store::Change> changes{};
  bool etag = false;        // the answer's ETag is the revision that this makes
  bool audit_only = false;  // nothing but the audit is to be written

  // A record that must still be the same when the transaction is made.
  template <typename Record>
  Result<std::optional<Stored<Record>>> read(const std::string& key) {
    auto found = api::read<Record>(*store_, key);
    if (found) conditions.push_back(store::modified_at(key, *found ? (*found)->revision : 0));
    return found;
  }
  void put(std::string key, std::string value) { changes.push_back(store::put(std::move(key), std::move(value))); }
  void remove(std::string key) { changes.push_back(store::remove(std::move(key))); }
  // The next number of a sequence ("job"), from 1; taken when the transaction is made.
  Result<uint64_t> next(const std::string& sequence);
  // A port that no cluster has, from 20000 on.
  Result<uint16_t> next_front_port();
  // Everything, sequences included.
  store::Transaction transaction() const;
  store::Store& store() { return *store_; }

 private:
  struct Sequence {
    uint64_t last = 0;
    store::Revision revision = 0;
  };
  Result<Sequence*> sequence(const std::string& key);

  store::Store* store_;
  std::map<std::string, Sequence> sequences_;  // by key
};

using Make = std::function<Result<http::Response>(Draft&)>;

// Has `make` read and fill a draft, and commits it together with the audit record. When somebody else changed what was
// read, all of it is done again, so `make` must have no effects but on the draft. The answer of `make` is what is audited
// and returned.
Result<http::Response> change(Call& call, const Make& make);

// The audit record of a request that was refused. A store that cannot take it is logged.
void audit_refusal(Call& call, int status);

// The header If-Match, when there is one, against the revision of what is to be changed.
Result<void> check_if_match(const http::Request& request, store::Revision revision);
std::string etag_of(store::Revision revision);

}  // namespace overlord::api
