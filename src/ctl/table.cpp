#include "ctl/table.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace overlord::ctl {
namespace {

bool is_number(std::string_view text) {
  if (text.empty()) return true;  // an empty cell does not make a column one of words
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t digits = text.find_first_not_of("0123456789.");
  return !text.empty() && text[0] >= '0' && text[0] <= '9' &&
         (digits == std::string_view::npos ||
          (digits == text.size() - 1 && std::string_view("kMGTs%").contains(text[digits])));
}

// Characters, not bytes, of UTF-8.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

void append_cell(std::string& line, const std::string& cell, size_t width, bool right) {
  const size_t own = width_of(cell);
  const std::string pad(width > own ? width - own : 0, ' ');
  if (right) line.append(pad);
  line.append(cell);
  if (!right) line.append(pad);
}

// At most `width` characters.
void cut(std::string& line, size_t width) {
  size_t at = 0;
  for (size_t shown = 0; at < line.size(); ++at) {
    if ((line[at] & 0xC0) != 0x80 && shown++ == width) break;
  }
  line.resize(at);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) c = '?';
  }
  return out;
}

void Table::add(std::vector<std::string> row) {
  row.resize(titles_.size());
  for (std::string& cell : row) cell = printable(cell);
  rows_.push_back(std::move(row));
}

std::string Table::text(size_t width) const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t c = 0; c < titles_.size(); ++c) {
    widths.push_back(width_of(titles_[c]));
    right.push_back(!rows_.empty());
    for (const auto& row : rows_) {
      widths[c] = std::max(widths[c], width_of(row[c]));
      right[c] = right[c] && is_number(row[c]);
    }
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text.append("  ");
      append_cell(text, cells[c], widths[c], right[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    if (width > 0) cut(text, width);
    out.append(text).append("\n");
  };
  line(titles_);
  for (const auto& row : rows_) line(row);
  return out;
}

std::string short_number(double value) {
  static constexpr std::array<const char*, 5> kUnits = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  const int digits = value >= 99.95 || (unit == 0 && value == static_cast<double>(static_cast<long>(value))) ? 0
                     : value >= 9.995                                                                        ? 1
                                                                                                             : 2;
  std::snprintf(text, sizeof(text), "%.*f%s", digits, value, kUnits[unit]);
  return text;
}

}  // namespace overlord::ctl
