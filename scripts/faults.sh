#!/usr/bin/env bash
# ./dev faults [--list] [--write] [ROW...]: real backends are hurt behind the proxy while every reply is checked
#
# Plays the fault matrix (tests/faults/rows.py), or the rows named, each with redis-server and memcached (or a Redis
# Cluster) and on every io driver of this machine, and prints what clients saw. --list: the rows. --write: puts the table
# into docs/reliability.md. --kind redis, memcache or redis_cluster: only these. --build asan or tsan: with a sanitizer,
# whose reports are failures. OVERLORD_IO=epoll: one driver. What needs rights that are missing (mount namespaces,
# cgroups) is skipped and says so. OVERLORD_BIN_DIR: another build than the release.

need build servers faults
. scripts/aslr.sh
preset=release
args=()
while [ $# -gt 0 ]; do
  case $1 in
    --build)
      preset=${2-}
      case $preset in
        release | debug) ;;
        asan | tsan) export OVERLORD_SCALE="${OVERLORD_SCALE-3}" ;; # of time-outs; 8 would make hours of it
        *) die "--build: release, debug, asan or tsan" ;;
      esac
      shift
      ;;
    *) args+=("$1") ;;
  esac
  shift
done
if [ -z "${OVERLORD_BIN_DIR-}" ]; then
  build "$preset" overlord-proxy
  export OVERLORD_BIN_DIR=$PWD/build/$preset/bin
fi
exec "${fixed_addresses[@]}" /usr/bin/python3 -B tests/faults/run.py "${args[@]}"
