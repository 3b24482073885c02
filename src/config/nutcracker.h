#pragma once
// Turns a twemproxy (nutcracker) YAML file into the equivalent cluster file.

#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace overlord::config {

struct ConvertOutcome {
  std::string toml;               // empty when one of the problems is an error
  std::vector<Problem> problems;  // also written as comments into the text where they are warnings

  bool ok() const { return !has_error(problems); }
};

// file: the name used in messages and in the head comment. Nothing is thrown.
ConvertOutcome convert_nutcracker_text(std::string_view yaml, const std::string& file);
ConvertOutcome convert_nutcracker_file(const std::string& path);

}  // namespace overlord::config
