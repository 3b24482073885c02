#pragma once

#include <vector>

#include "loadgen/wire.h"

namespace loadgen {

/// The keys within the slots of the options; empty when these are all.
std::vector<uint32_t> usable_keys(const Options& options, const Keyspace& keys);

/// Decides what the next request is.
class Source {
 public:
  virtual ~Source() = default;
  /// Fills op, key, count and, for a multi-get, the keys.
  virtual void next(Request& request) = 0;
};

/// Writes every key once, in order.
class PreloadSource : public Source {
 public:
  explicit PreloadSource(const std::vector<uint32_t>& usable) : usable_(usable) {}
  void next(Request& request) override;

 private:
  const std::vector<uint32_t>& usable_;
  uint32_t next_ = 0;
};

/// Endless reads and writes of uniformly chosen keys. The keys of one multi-get are distinct.
class MixSource : public Source {
 public:
  MixSource(const Options& options, const std::vector<uint32_t>& usable);
  void next(Request& request) override;

 private:
  uint32_t any_key();

  const std::vector<uint32_t>& usable_;
  const uint32_t keys_;
  const uint32_t multi_get_;
  const uint32_t set_below_;  // of 2^20
  Random random_;
};

}  // namespace loadgen
