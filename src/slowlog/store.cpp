#include "slowlog/store.h"

#include <algorithm>

namespace overlord::slowlog {

Entry Store::add(Entry entry) {
  const std::lock_guard lock(mutex_);
  entry.number = next_number_++;
  auto found = clusters_.find(entry.cluster.view());
  if (found == clusters_.end()) found = clusters_.try_emplace(std::string(entry.cluster.view())).first;
  std::deque<Entry>& entries = found->second;
  entries.push_front(entry);
  if (entries.size() > kKept) entries.pop_back();
  return entry;
}

std::vector<Entry> Store::latest(std::string_view cluster, size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto found = clusters_.find(cluster);
  if (found == clusters_.end()) return {};
  const std::deque<Entry>& entries = found->second;
  return {entries.begin(), entries.begin() + static_cast<ptrdiff_t>(std::min(count, entries.size()))};
}

std::vector<Entry> Store::latest(size_t count) const {
  std::vector<Entry> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entries] : clusters_) {
      all.insert(all.end(), entries.begin(), entries.begin() + static_cast<ptrdiff_t>(std::min(count, entries.size())));
    }
  }
  std::ranges::sort(all, std::greater(), &Entry::number);
  if (all.size() > count) all.resize(count);
  return all;
}

size_t Store::size(std::string_view cluster) const {
  const std::lock_guard lock(mutex_);
  const auto found = clusters_.find(cluster);
  return found == clusters_.end() ? 0 : found->second.size();
}

void Store::reset(std::string_view cluster) {
  const std::lock_guard lock(mutex_);
  if (const auto found = clusters_.find(cluster); found != clusters_.end()) found->second.clear();
}

}  // namespace overlord::slowlog
