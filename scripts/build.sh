#!/usr/bin/env bash
# ./dev build [PRESET] [TARGET...]: build a preset (release unless named) into build/PRESET
#
# Presets: release, debug, asan (address and undefined behaviour), tsan, fuzz (clang, libFuzzer).
# Binaries land in build/PRESET/bin. TARGETs are CMake targets, such as overlord-proxy, redis_test, or unit_tests for all of
# those; without any, the programs.
# Installs the compiler and libraries that are missing.

preset=${1:-release}
[ $# -eq 0 ] || shift
case $preset in
  release | debug | asan | tsan) need build ;;
  fuzz)
    need build fuzz
    [ $# -gt 0 ] || set -- fuzzers
    ;;
  *) die "no preset '$preset': release, debug, asan, tsan or fuzz" ;;
esac
build "$preset" "$@"
