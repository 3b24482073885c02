#!/usr/bin/env bash
# ./dev clean: remove build/ and run/ (the compiler cache stays)
#
# Everything the verbs write is in these two folders. The compiler cache has its own tool: ccache --clear.

[ $# -eq 0 ] || die "clean takes no arguments"
if grep -q " $PWD/build/fresh/" /proc/mounts; then
  die "something is mounted under build/fresh: end the running ./dev fresh first"
fi
rm -rf build run
say "removed build/ and run/"
