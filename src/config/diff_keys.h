#pragma once
// The rows by which two configurations are compared: for each key how its value is shown, and what it concerns.

#include <span>
#include <string>
#include <string_view>

#include "config/diff.h"

namespace overlord::config {

template <typename Config>
struct DiffRow {
  std::string_view key;
  Concern concern;
  std::string (*text)(const Config&);
  bool secret = false;
  std::string_view also = {};  // other keys that end up in the same value, separated by spaces
  void (*take)(Config& into, const Config& from) = nullptr;  // process: puts it in force; null: it needs a restart
};

std::span<const DiffRow<ClusterConfig>> cluster_diff_rows();
std::span<const DiffRow<ProcessConfig>> process_diff_rows();

}  // namespace overlord::config
