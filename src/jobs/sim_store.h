#pragma once
// For tests: a store in memory, that does at once what is asked of it.

#include <map>
#include <memory>
#include <vector>

#include "store/store.h"

namespace overlord::jobs::sim {

class MemoryStore : public store::Store {
 public:
  store::Answer<std::optional<store::Record>> get(std::string_view key, store::Revision) override {
    const auto found = records_.find(std::string(key));
    if (found == records_.end()) return std::nullopt;
    return found->second;
  }
  store::Answer<store::Page> list(std::string_view prefix, const store::ListOptions& options) override {
    store::Page page{.records = {}, .revision = revision_, .more = false};
    for (auto at = records_.lower_bound(std::string(prefix)); at != records_.end() && at->first.starts_with(prefix);
         ++at) {
      if (!options.after.empty() && at->first <= options.after) continue;
      if (page.records.size() == options.limit) {
        page.more = true;
        break;
      }
      page.records.push_back(at->second);
    }
    return page;
  }
  store::Answer<store::Revision> commit(const store::Transaction& transaction) override {
    if (auto good = store::check(transaction); !good) return std::unexpected(good.error());
    for (const store::Condition& condition : transaction.conditions) {
      const auto found = records_.find(condition.key);
      const bool created = condition.field == store::Condition::Field::created;
      const store::Revision is = found == records_.end() ? 0 : created ? found->second.created : found->second.modified;
      if ((is == condition.revision) != condition.equal) {
        return store::fail(store::Trouble::conflict, store::unmet(condition, is));
      }
    }
    const store::Revision next = revision_ + 1;
    bool changed = false;
    const auto remove = [&](const std::string& key) {
      if (records_.erase(key) == 0) return;
      changed = true;
      history_.push_back({store::Event::Kind::removed, {.key = key, .value = {}, .modified = next}});
    };
    for (const store::Change& change : transaction.changes) {
      if (change.kind == store::Change::Kind::put) {
        store::Record& record = records_[change.key];
        const store::Revision created = record.created == 0 ? next : record.created;
        record = {change.key, change.value, created, next, change.lease};
        history_.push_back({store::Event::Kind::put, record});
        changed = true;
      } else if (change.kind == store::Change::Kind::remove) {
        remove(change.key);
      } else {
        std::vector<std::string> keys;
        for (auto at = records_.lower_bound(change.key); at != records_.end() && at->first.starts_with(change.key);
             ++at) {
          keys.push_back(at->first);
        }
        for (const std::string& key : keys) remove(key);
      }
    }
    if (changed) revision_ = next;
    return revision_;
  }
  store::Answer<std::unique_ptr<store::Watch>> watch(std::string_view prefix, store::Revision from) override {
    return std::make_unique<MemoryWatch>(*this, std::string(prefix), from == 0 ? revision_ + 1 : from);
  }
  store::Answer<void> compact(store::Revision) override { return {}; }
  store::Answer<store::Lease> grant(std::chrono::seconds ttl) override {
    return store::Lease{.id = ++lease_, .ttl = ttl};
  }
  store::Answer<store::Lease> keep_alive(store::LeaseId lease) override { return store::Lease{.id = lease, .ttl = {}}; }
  store::Answer<void> revoke(store::LeaseId) override { return {}; }

  const std::map<std::string, store::Record>& records() const { return records_; }

 private:
  class MemoryWatch : public store::Watch {
   public:
    MemoryWatch(MemoryStore& store, std::string prefix, store::Revision next)
        : store_(store), prefix_(std::move(prefix)), next_(next) {}
    store::Answer<store::Batch> next(std::chrono::milliseconds) override {
      store::Batch batch;
      for (; at_ < store_.history_.size(); ++at_) {
        const store::Event& event = store_.history_[at_];
        if (event.record.modified >= next_ && event.record.key.starts_with(prefix_)) batch.events.push_back(event);
      }
      next_ = store_.revision_ + 1;
      batch.next = next_;
      return batch;
    }
    void stop() override {}

   private:
    MemoryStore& store_;
    const std::string prefix_;
    store::Revision next_;
    size_t at_ = 0;
  };

  std::map<std::string, store::Record> records_;
  std::vector<store::Event> history_;
  store::Revision revision_ = 0;
  store::LeaseId lease_ = 0;
};

}  // namespace overlord::jobs::sim
