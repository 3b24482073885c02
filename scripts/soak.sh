#!/usr/bin/env bash
# ./dev soak [--minutes N] [--seed S]: random faults under an address-sanitizer build, while every reply is checked
#
# Plays faults of the matrix (./dev faults) at random, up to three at once, before redis-server and memcached, and with
# three minutes or more also a Redis Cluster's rows; five minutes unless told. Prints the seed, what it does, and at the
# end how much was checked. --seed S: the same faults in the same order. A failure names the seed, lane and episode that
# play it again: --lane redis|memcache|redis_cluster --episode N. SOAK_SECONDS: the default time. OVERLORD_BIN_DIR:
# another build. OVERLORD_SCALE (3 here) multiplies time-outs.

need build servers faults
if [ -z "${OVERLORD_BIN_DIR-}" ]; then
  build asan overlord-proxy
  export OVERLORD_BIN_DIR=$PWD/build/asan/bin
fi
. scripts/aslr.sh
exec "${fixed_addresses[@]}" /usr/bin/python3 -B tests/faults/soak.py "$@"
