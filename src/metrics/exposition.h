#pragma once
// Exposition: writes the text format that Prometheus reads. Families must be of the table and come together; samples of
// one family that nobody has do not appear.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats (text format 0.0.4).

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/histogram.h"
#include "metrics/families.h"

namespace overlord::metrics {

class Exposition {
 public:
  // What follows are samples of this family. Aborts when the table has none of that name: a mistake in the program.
  void family(std::string_view name);
  // Values of the family's labels, in their order.
  using Values = std::initializer_list<std::string_view>;
  void sample(Values values, uint64_t value);
  void sample(Values values, double value);
  // In microseconds; only a histogram.
  void histogram(Values values, const HistogramCounts& counts);

  const std::string& text() const { return text_; }

 private:
  void begin(std::string_view suffix, Values values, std::string_view bound = {});
  void head();

  const Family* family_ = nullptr;
  bool headed_ = false;  // HELP and TYPE are written
  std::string text_;
};

}  // namespace overlord::metrics
