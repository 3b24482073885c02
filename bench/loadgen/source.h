#pragma once

#include "loadgen/wire.h"

namespace loadgen {

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
  void next(Request& request) override;

 private:
  uint32_t next_ = 0;
};

/// Endless reads and writes of uniformly chosen keys. The keys of one multi-get are distinct.
class MixSource : public Source {
 public:
  explicit MixSource(const Options& options);
  void next(Request& request) override;

 private:
  const uint32_t keys_;
  const uint32_t multi_get_;
  const uint32_t set_below_;  // of 2^20
  Random random_;
};

}  // namespace loadgen
