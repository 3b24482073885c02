#pragma once
// MemoryBudget: what a worker does about its share of max_memory. Above the share clients are not read from, so that
// answers can leave and nothing new comes, until an eighth of it is free again; when that does not help within a moment,
// or memory still grows, the client that holds the most is closed, and the next one a moment later. Pure: told of bytes and times.

#include <cstdint>

namespace overlord::proxy {

class MemoryBudget {
 public:
  static constexpr uint64_t kPatience = 200'000'000;      // ns that pausing has to help
  static constexpr uint64_t kBetweenCloses = 20'000'000;  // ns for what a closed client held to come back

  enum class Action : uint8_t { none, pause, resume, close };

  // bytes: the share; 0: no limit.
  explicit MemoryBudget(uint64_t bytes = 0) : bytes_(bytes) {}

  bool limited() const { return bytes_ > 0; }
  bool is_short() const { return short_; }
  // What to do now that so many bytes are in use. Clients stay paused between `pause` and `resume`.
  Action look(uint64_t used, uint64_t now) {
    if (!short_) [[likely]] {
      if (used <= bytes_) return Action::none;
      short_ = true;
      close_at_ = now + kPatience;
      return Action::pause;
    }
    // Some below the limit, so that it does not change with every request.
    if (used <= bytes_ - bytes_ / 8) {
      short_ = false;
      return Action::resume;
    }
    const bool growing = used > bytes_ + bytes_ / 4;
    if (now < close_at_ && !(growing && now >= closed_at_ + kBetweenCloses)) return Action::none;
    closed_at_ = now;
    close_at_ = now + kBetweenCloses;
    return Action::close;
  }

 private:
  uint64_t bytes_;
  uint64_t close_at_ = 0;
  uint64_t closed_at_ = 0;
  bool short_ = false;
};

}  // namespace overlord::proxy
