#pragma once
// Reporter: collects the problems of one file.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problem.h"
#include "config/toml_document.h"

namespace overlord::config {

class Reporter {
 public:
  explicit Reporter(std::string file) : file_(std::move(file)) {}

  void error(Position at, std::string key, std::string message, std::string fix = {}) {
    add(Problem::Severity::error, at, std::move(key), std::move(message), std::move(fix));
  }
  void warning(Position at, std::string key, std::string message, std::string fix = {}) {
    add(Problem::Severity::warning, at, std::move(key), std::move(message), std::move(fix));
  }
  void add(Problem::Severity severity, Position at, std::string key, std::string message, std::string fix) {
    problems.push_back({severity, file_, at.line, at.column, std::move(key), std::move(message), std::move(fix)});
  }

  const std::string& file() const { return file_; }

  std::vector<Problem> problems;

 private:
  std::string file_;
};

// "text" with quotes, for messages; printable(), and long texts are cut.
std::string quoted(std::string_view text);

}  // namespace overlord::config
