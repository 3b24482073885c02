#pragma once
// CommandTimes: how long the requests of one cluster's clients took in one worker, from when they were parsed until their
// answers were written, by command. A histogram is made when its command first occurs. One thread.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/histogram.h"
#include "routing/command_tag.h"

namespace overlord::proxy {

class CommandTimes {
 public:
  explicit CommandTimes(bool redis) : by_number_(routing::tag_count(redis)) {}

  void add(routing::CommandTag tag, uint64_t ns) {
    std::unique_ptr<Histogram>& times = by_number_[tag.number];
    if (times == nullptr) [[unlikely]]
      times = std::make_unique<Histogram>();
    times->add(ns);
  }
  // By CommandTag::number; null where nothing was counted.
  const std::vector<std::unique_ptr<Histogram>>& by_number() const { return by_number_; }

 private:
  std::vector<std::unique_ptr<Histogram>> by_number_;
};

}  // namespace overlord::proxy
