#!/usr/bin/env bash
# ./dev format [FILE...]: rewrite the C++ files in the project's layout
#
# With no FILE: every .h and .cpp that git knows or would add.

need lint
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(cpp_files)
fi
[ "${#files[@]}" -eq 0 ] || clang-format-19 -i -- "${files[@]}"
