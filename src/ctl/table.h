#pragma once
// Table: rows of text in aligned columns, for people and for awk: two spaces between columns, numbers to the right.

#include <string>
#include <string_view>
#include <vector>

namespace overlord::ctl {

class Table {
 public:
  explicit Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}
  // As many cells as there are titles. Control characters are shown as "?": a name must not steer the terminal.
  void add(std::vector<std::string> row);
  // width: lines are cut to so many columns; 0: not at all.
  std::string text(size_t width = 0) const;
  size_t rows() const { return rows_.size(); }

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<std::string>> rows_;
};

// 1234567 as "1.23M": three digits, for rates and bytes.
std::string short_number(double value);

// Bytes that a terminal must not get replaced.
std::string printable(std::string_view text);

}  // namespace overlord::ctl
