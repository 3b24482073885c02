#pragma once
// Views: what `overlord ctl` shows of a running proxy: for each the page of the proxy's HTTP address that it comes from,
// and how its JSON becomes a table. docs/operations.md lists them.

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::ctl {

enum class Format {
  text,    // as it is; numbers too
  brief,   // a number with three digits: 1.23M
  sum,     // of the numbers in an object
  usable,  // "2/3" of the fields NAME_usable and NAME
};

struct Column {
  std::string_view title;
  std::string_view field;  // of a row; levels separated by '/'
  Format format = Format::text;
};

struct View {
  std::string_view name;
  std::string_view what;  // one line
  std::string_view path;  // GET
  std::string_view list;  // where the rows are in the page; empty: it is a list itself
  std::span<const Column> columns;
  bool of_cluster = false;  // takes ?cluster=
  std::string_view count;   // name of the parameter for how many; empty: it has none
};

std::span<const View> views();

// The page as a table. The error says what the page is instead of the expected document.
Result<std::string> table_of(const View& view, std::string_view page, size_t width = 0);
// /explain: the steps, one a line, and where it ends.
Result<std::string> explanation_of(std::string_view page);
// Workers that a page lacks, as a warning; empty when it is whole.
std::string missing_of(std::string_view page);

}  // namespace overlord::ctl
