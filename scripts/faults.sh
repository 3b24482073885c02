#!/usr/bin/env bash
# ./dev faults [--list] [--write] [ROW...]: real backends are hurt behind the proxy while every reply is checked
#
# Plays the fault matrix (tests/faults/rows.py), or the rows named, each with redis-server and memcached and on every io
# driver of this machine, and prints what clients saw. --list: the rows. --write: puts the table into
# docs/reliability.md. --kind redis or --kind memcache: only these. OVERLORD_IO=epoll: one driver. What needs rights that
# are missing (mount namespaces, cgroups) is skipped and says so. OVERLORD_BIN_DIR: another build than the release.

need build servers faults
[ -n "${OVERLORD_BIN_DIR-}" ] || build release overlord-proxy
exec /usr/bin/python3 -B tests/faults/run.py "$@"
