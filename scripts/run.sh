#!/usr/bin/env bash
# ./dev run: memcached, redis-server and the proxy in front of them, until Ctrl-C
#
# Installs what is missing, builds a release, starts memcached (11211) and redis-server (6379, nothing kept on disk)
# and overlord-proxy with etc/proxy-cluster.toml in front: memcache on 21211, redis on 26379. Servers that already
# listen are used as they are. Logs are in run/. Ctrl-C stops what this command started and nothing else.

[ $# -eq 0 ] || die "run takes no arguments"

# taken PORT: refuses to go on when somebody listens where the proxy has to.
taken() {
  listener_inode "$1" >/dev/null || return 0
  die "port $1 is taken by $(holder_of "$1"): end it, or change listen_addr in etc/proxy-cluster.toml"
}
taken 21211
taken 26379

need build servers
build release overlord-proxy
mkdir -p run

started=() # "pid name" of everything this command has to stop

# end PID: asks a process to end, and makes it when it has not after 5 s.
end() {
  local deadline=$((SECONDS + 5))
  kill -TERM "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.02; done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

stop() {
  trap '' INT TERM HUP
  local entry
  for entry in "${started[@]}"; do end "${entry% *}"; done
  started=()
}
trap stop EXIT
trap 'echo; say "stopping"; exit 0' INT TERM HUP

# start NAME COMMAND...: in a session of its own, so that Ctrl-C reaches this script alone and things end in order;
# should the script be killed, the kernel ends them.
start() {
  local name=$1
  shift
  setsid setpriv --pdeathsig TERM -- "$@" >"run/$name.log" 2>&1 </dev/null &
  started=("$! $name" "${started[@]}")
}

# wait_for NAME CHECK...: until CHECK succeeds; fails at once when the process has ended, and after 20 s.
wait_for() {
  local name=$1 pid=${started[0]% *} deadline=$((SECONDS + 20))
  shift
  until "$@"; do
    if ! kill -0 "$pid" 2>/dev/null; then failed "$name" "did not start"; fi
    if [ $SECONDS -ge $deadline ]; then failed "$name" "is not ready after 20 s"; fi
    sleep 0.05
  done
}

failed() {
  tail -n 15 "run/$1.log" >&2
  die "$1 $2 (above: the end of run/$1.log)"
}

# server NAME PORT CHECK COMMAND...: uses what listens on the port if it speaks the protocol, else starts COMMAND.
server() {
  local name=$1 port=$2 check=$3
  shift 3
  if listener_inode "$port" >/dev/null; then
    "$check" "$port" || die "port $port is taken by $(holder_of "$port"), which does not answer as $name"
    say "using the $name that listens on $port ($(holder_of "$port"))"
  else
    start "$name" "$@"
    wait_for "$name" "$check" "$port"
    say "started $name on $port"
  fi
}
server memcached 11211 answers_memcache memcached -l 127.0.0.1 -p 11211 -U 0 -m 64 -u "$(id -un)"
server redis-server 6379 answers_redis redis-server --bind 127.0.0.1 --port 6379 --dir "$PWD/run" \
  --save "" --appendonly no --daemonize no

start overlord-proxy build/release/bin/overlord-proxy -cluster=etc/proxy-cluster.toml -std
proxy=${started[0]% *}
wait_for overlord-proxy answers_memcache 21211
wait_for overlord-proxy answers_redis 26379

cat <<'TEXT'
==> ready: memcache on 21211, redis on 26379. In another terminal type

    echo -e "set a_11 0 0 5\r\nhello\r\n" | nc 127.0.0.1 21211
    redis-cli -p 26379 set k v

    (nc stays connected until its own Ctrl-C; nc -q 1 leaves after a second.)
    The proxy logs to run/overlord-proxy.log. Ctrl-C here stops everything that was started here.
TEXT

# One of the servers may end while people try things; the proxy has to live through that, and this command too.
while kill -0 "$proxy" 2>/dev/null; do
  ended=
  wait -n -p ended || true
  for entry in "${started[@]}"; do
    if [ "${entry% *}" = "$ended" ] && [ "$ended" != "$proxy" ]; then say "${entry#* } ended; the proxy goes on"; fi
  done
done
failed overlord-proxy "ended by itself"
