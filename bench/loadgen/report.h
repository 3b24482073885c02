#pragma once

#include "loadgen/load.h"
#include "loadgen/options.h"

namespace loadgen {

/// Prints the result on stdout: one JSON object per run with --json, else a few lines for people. `name` says which
/// part of the run it is: "preload" or "load".
void print_report(const char* name, const Options& options, const LoadResult& result);

/// The exit code that the result deserves; see usage().
int exit_code(const Options& options, const LoadResult& result);

}  // namespace loadgen
