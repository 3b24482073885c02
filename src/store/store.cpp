#include "store/store.h"

#include <algorithm>

#include "base/text_escape.h"

namespace overlord::store {
namespace {

std::string shown(std::string_view key) {
  std::string out = "\"";
  append_one_line(out, key);
  return out + "\"";
}

// The keys that a change means: from `begin` up to but without `end`.
struct Range {
  std::string begin;
  std::string end;  // empty: without end
};

Range range_of(const Change& change) {
  if (change.kind == Change::Kind::remove_prefix) return {change.key, prefix_end(change.key)};
  return {change.key, change.key + '\0'};
}

Answer<void> check_changes(const std::vector<Change>& changes) {
  std::vector<Range> ranges;
  ranges.reserve(changes.size());
  for (const Change& change : changes) ranges.push_back(range_of(change));
  std::ranges::sort(ranges, {}, &Range::begin);
  for (size_t i = 1; i < ranges.size(); ++i) {
    const Range& before = ranges[i - 1];
    if (before.end.empty() || ranges[i].begin < before.end) {
      return fail(Trouble::refused, "two changes of the transaction mean the key " + shown(ranges[i].begin));
    }
  }
  return {};
}

}  // namespace

const char* to_string(Trouble trouble) {
  switch (trouble) {
    case Trouble::unavailable: return "unavailable";
    case Trouble::uncertain: return "uncertain";
    case Trouble::conflict: return "conflict";
    case Trouble::refused: return "refused";
    case Trouble::expired: return "expired";
    case Trouble::compacted: return "compacted";
  }
  return "";
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

Answer<void> check_key(std::string_view key) {
  if (key.empty()) return fail(Trouble::refused, "a key must not be empty");
  if (key.size() > kMaxKey) {
    return fail(Trouble::refused, "a key of " + std::to_string(key.size()) + " bytes; the most are " +
                                      std::to_string(kMaxKey) + ": " + shown(key.substr(0, 64)) + "...");
  }
  return {};
}

Answer<void> check(const Transaction& transaction) {
  if (std::max(transaction.conditions.size(), transaction.changes.size()) > kMaxOperations) {
    return fail(Trouble::refused,
                "a transaction of more than " + std::to_string(kMaxOperations) + " conditions or changes: divide it");
  }
  size_t bytes = 0;
  for (const Condition& condition : transaction.conditions) {
    if (auto good = check_key(condition.key); !good) return good;
    bytes += condition.key.size();
  }
  for (const Change& change : transaction.changes) {
    if (auto good = check_key(change.key); !good) return good;
    if (change.value.size() > kMaxValue) {
      return fail(Trouble::refused, "the value of " + shown(change.key) + " has " +
                                        std::to_string(change.value.size()) + " bytes; the most are " +
                                        std::to_string(kMaxValue));
    }
    bytes += change.key.size() + change.value.size();
  }
  // A single value of the largest size must be possible.
  if (bytes > kMaxTransaction + kMaxKey * kMaxOperations) {
    return fail(Trouble::refused, "a transaction of " + std::to_string(bytes) + " bytes: divide it");
  }
  return check_changes(transaction.changes);
}

Answer<void> check(std::string_view prefix, const ListOptions& options) {
  if (prefix.size() > kMaxKey) return check_key(prefix);
  if (options.limit == 0 || options.limit > kMaxPage) {
    return fail(Trouble::refused, "a page has 1 to " + std::to_string(kMaxPage) + " records");
  }
  if (!options.after.empty() && !options.after.starts_with(prefix)) {
    return fail(Trouble::refused, shown(options.after) + " is no key of " + shown(prefix));
  }
  if (options.at < 0) return fail(Trouble::refused, "a revision must not be negative");
  return {};
}

Answer<void> check_ttl(std::chrono::seconds ttl) {
  if (ttl >= kMinTtl && ttl <= kMaxTtl) return {};
  return fail(Trouble::refused, "the ttl of a lease is " + std::to_string(kMinTtl.count()) + " to " +
                                    std::to_string(kMaxTtl.count()) + " seconds");
}

std::string unmet(const Condition& condition, Revision found) {
  const std::string key = shown(condition.key);
  if (found == 0) return key + " does not exist";
  if (condition.revision == 0) return key + " exists";
  const char* const field = condition.field == Condition::Field::created ? " was made at " : " was changed at ";
  return key + field + "revision " + std::to_string(found) + (condition.equal ? ", not " : ", as at ") +
         std::to_string(condition.revision);
}

Answer<Page> list_all(Store& store, std::string_view prefix, size_t most) {
  Page all;
  ListOptions options;
  do {
    auto page = store.list(prefix, options);
    if (!page) return page;
    all.revision = options.at = page->revision;
    if (all.records.size() + page->records.size() > most) {
      return fail(Trouble::refused, "more than " + std::to_string(most) + " records begin with " + shown(prefix));
    }
    all.records.insert(all.records.end(), std::make_move_iterator(page->records.begin()),
                       std::make_move_iterator(page->records.end()));
    if (!page->more) return all;
    options.after = all.records.back().key;
  } while (true);
}

}  // namespace overlord::store
