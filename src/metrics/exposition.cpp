#include "metrics/exposition.h"

#include <array>
#include <charconv>
#include <cstdlib>

namespace overlord::metrics {
namespace {

// A label's value may hold anything; what would end it is escaped, and what is not UTF-8 is shown as '?': one bad byte
// would make Prometheus refuse the whole page.
void append_value(std::string& out, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\\' || c == '"' || c == '\n') {
      out.append(c == '\\' ? "\\\\" : c == '"' ? "\\\"" : "\\n");
      ++i;
      continue;
    }
    const size_t size = c < 0x80                ? 1
                        : c >= 0xc2 && c < 0xe0 ? 2
                        : c >= 0xe0 && c < 0xf0 ? 3
                        : c >= 0xf0 && c < 0xf5 ? 4
                                                : 0;
    bool good = size > 0 && i + size <= text.size();
    for (size_t k = 1; good && k < size; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
    if (good && size >= 3) {
      const auto second = static_cast<unsigned char>(text[i + 1]);
      // Overlong forms, surrogates, and what lies beyond Unicode.
      good = !((c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) || (c == 0xf0 && second < 0x90) ||
               (c == 0xf4 && second >= 0x90));
    }
    out.append(good ? text.substr(i, size) : std::string_view("?"));
    i += good ? size : 1;
  }
}

template <typename Number>
void append_number(std::string& out, Number value) {
  std::array<char, 64> digits{};
  const auto [end, failure] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure == std::errc{}) out.append(digits.data(), end);
}

}  // namespace

void Exposition::family(std::string_view name) {
  family_ = find_family(name);
  if (family_ == nullptr) std::abort();
  headed_ = false;
}

void Exposition::head() {
  if (headed_) return;
  headed_ = true;
  text_.append("# HELP ").append(family_->name).append(" ");
  for (const char c : family_->help) {
    if (c == '\\') text_.push_back('\\');
    text_.push_back(c);
  }
  text_.append("\n# TYPE ").append(family_->name).append(" ").append(type_name(family_->type)).append("\n");
}

void Exposition::begin(std::string_view suffix, Values values, std::string_view bound) {
  head();
  text_.append(family_->name).append(suffix);
  std::string_view labels = family_->labels;
  char before = '{';
  for (const std::string_view value : values) {
    const std::string_view label = labels.substr(0, labels.find(','));
    if (label.empty()) std::abort();  // more values than the table has labels
    labels.remove_prefix(label.size() == labels.size() ? label.size() : label.size() + 1);
    text_.push_back(before);
    text_.append(label).append("=\"");
    append_value(text_, value);
    text_.push_back('"');
    before = ',';
  }
  if (!labels.empty()) std::abort();
  if (!bound.empty()) {
    text_.push_back(before);
    text_.append("le=\"").append(bound).append("\"");
    before = ',';
  }
  text_.append(before == ',' ? "} " : " ");
}

void Exposition::sample(Values values, uint64_t value) {
  begin({}, values);
  append_number(text_, value);
  text_.push_back('\n');
}

void Exposition::sample(Values values, double value) {
  begin({}, values);
  append_number(text_, value);
  text_.push_back('\n');
}

void Exposition::histogram(Values values, const HistogramCounts& counts) {
  uint64_t total = 0;
  for (size_t i = 0; i < kHistogramBounds.size(); ++i) {
    total += counts.buckets[i];
    begin("_bucket", values, std::to_string(kHistogramBounds[i]));
    append_number(text_, total);
    text_.push_back('\n');
  }
  total += counts.buckets.back();
  begin("_bucket", values, "+Inf");
  append_number(text_, total);
  text_.push_back('\n');
  begin("_sum", values);
  append_number(text_, static_cast<double>(counts.sum_ns) / 1000);
  text_.push_back('\n');
  begin("_count", values);
  append_number(text_, total);
  text_.push_back('\n');
}

}  // namespace overlord::metrics
