#!/usr/bin/env bash
# ./dev bench [ARGUMENT...]: compare overlord-proxy with nutcracker under the same load, as a table
#
# Builds a release and hands the arguments to bench/run.py (bench/run.py --help lists them). docs/benchmark.md
# explains the columns and keeps the last table.

need build servers bench
build release
/usr/bin/python3 bench/run.py --bin-dir build/release/bin "$@"
