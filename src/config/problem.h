#pragma once
// Problem: one thing wrong in a configuration file, said so that it can be mended without the manual.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::config {

struct Problem {
  enum class Severity { warning, error };

  Severity severity = Severity::error;
  std::string file = {};
  uint32_t line = 0;         // from 1; 0: the file as a whole
  uint32_t column = 0;       // from 1; 0: the line as a whole
  std::string key = {};      // "clusters[2].hash_method"; empty: no single key
  std::string message = {};  // what is wrong
  std::string fix = {};      // what to write instead; may be empty
};

// "proxy.toml:12:1: error: clusters[2].hash_method: unknown method "sha1"; use one of fnv1a_64, ..."
// One line, whatever the file holds.
std::string format(const Problem& problem);

// The text with its control bytes as \xNN.
std::string printable(std::string_view text);

bool has_error(const std::vector<Problem>& problems);

// By file position; problems of the file as a whole come first.
void sort_by_position(std::vector<Problem>& problems);

}  // namespace overlord::config
