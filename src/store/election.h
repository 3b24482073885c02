#pragma once
// Who of several processes leads, decided in the store: the leader is who has made the key, with a lease that it keeps
// alive. When it dies the lease ends, the key goes, and another candidate makes it anew.
//
//   Candidate candidate(store, "/overlord/leader/scheduler", "host-3:1234", 5s);
//   auto token = candidate.campaign(1s);          // nothing: somebody else leads
//   store.commit({{candidate.fence(), ...}, ...}) // refused as a conflict when somebody else leads meanwhile
//
// A process that was stopped for a while cannot know that it has been replaced. So every change that only a leader may
// make carries fence() among its conditions; leads() alone is for not beginning what would be refused. Tokens of later
// leaders are larger: they are revisions of the store.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/store.h"

namespace overlord::store {

class Candidate {
 public:
  // name: what observers see. The store must outlive it.
  Candidate(Store& store, std::string key, std::string name, std::chrono::seconds ttl);
  ~Candidate();  // resigns
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  // Waits to become the leader, for so long at most; the token. Nothing: not yet; call again. One thread at a time.
  Answer<std::optional<Revision>> campaign(std::chrono::milliseconds patience);
  // Ends a campaign() that waits, and those that follow. Any thread.
  void stop();
  // Lets the next candidate in at once. After `unavailable` that takes until the lease is over.
  Answer<void> resign();

  // Whether the lease cannot be over yet, by this machine's clock. Any thread.
  bool leads() const;
  // Holds as long as this candidate leads. Any thread.
  Condition fence() const;

 private:
  Answer<void> take_lease();
  void drop_lease();
  // The token when the key was made; nothing: somebody else has it.
  Answer<std::optional<Revision>> try_once();
  Answer<void> wait_for_removal(Revision from, std::chrono::milliseconds patience);
  void keep_alive(LeaseId lease);
  bool stopped();

  Store& store_;
  const std::string key_;
  const std::string name_;
  const std::chrono::seconds ttl_;
  std::atomic<Revision> token_{0};
  std::atomic<int64_t> lives_until_{0};  // ms of the clock that runs in sleep too
  LeaseId lease_ = 0;
  std::thread keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool keeper_stops_ = false;
  bool stopped_ = false;
  Watch* waiting_ = nullptr;
};

struct Leader {
  std::string name;
  Revision token = 0;
};

Answer<std::optional<Leader>> leader_of(Store& store, const std::string& key);

// Follows who leads. One thread at a time.
class LeaderWatch {
 public:
  LeaderWatch(Store& store, std::string key) : store_(store), key_(std::move(key)) {}
  // Who leads: the first time at once, then when that has changed or after so long. Nothing: nobody.
  Answer<std::optional<Leader>> next(std::chrono::milliseconds patience);

 private:
  Answer<void> look();

  Store& store_;
  const std::string key_;
  std::unique_ptr<Watch> watch_;
  std::optional<Leader> leader_;
};

}  // namespace overlord::store
