#!/usr/bin/env bash
# What ./dev fresh runs inside the minimal Debian: the life of a newcomer's first quarter of an hour.
# Argument: 1 for the whole ./dev test, empty for --quick.
set -euo pipefail
full=${1-}

step() { printf '\n==> fresh: %s (%d s)\n' "$*" "$SECONDS"; }
fail() { printf 'fresh: FAILED: %s\n' "$*" >&2; exit 1; }

# expect NAME WANTED COMMAND...: the command's output has to begin with the line.
expect() {
  local name=$1 wanted=$2 got
  shift 2
  got=$("$@" | head -n 1 | tr -d '\r') || true
  [ "$got" = "$wanted" ] || fail "$name answered '$got', not '$wanted'"
  echo "$name: $got"
}

step "installing git, as a newcomer has it"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install git >/root/apt.log 2>&1 || { cat /root/apt.log; exit 1; }
cd /root/overlord

step "./dev"
./dev

step "./dev run"
./dev run >/root/run.log 2>&1 &
run=$!
until grep -q '^==> ready' /root/run.log; do
  kill -0 $run 2>/dev/null || { cat /root/run.log; fail "./dev run ended by itself"; }
  sleep 0.2
done
cat /root/run.log
step "what it prints to type next"
expect nc STORED bash -c 'echo -e "set a_11 0 0 5\r\nhello\r\n" | nc -q 1 127.0.0.1 21211'
expect redis-cli OK redis-cli -p 26379 set k v
kill -TERM $run
wait $run || fail "./dev run ended with status $?"
for port in 21211 26379 11211 6379; do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then fail "port $port is still served after ./dev run ended"; fi
done
[ -z "$(git status --porcelain)" ] || fail "./dev run left files in the tree: $(git status --porcelain)"
echo "stopped; nothing listens any more, and the tree is clean"

step "./dev run once more, warm"
start=$SECONDS
./dev run >/root/run.log 2>&1 &
run=$!
until grep -q '^==> ready' /root/run.log; do
  kill -0 $run 2>/dev/null || { cat /root/run.log; fail "the second ./dev run ended by itself"; }
  sleep 0.1
done
kill -TERM $run
wait $run || fail "the second ./dev run ended with status $?"
echo "ready and stopped in $((SECONDS - start)) s"

step "./dev test"
if [ -n "$full" ]; then ./dev test; else ./dev test --quick; fi
step "done"
