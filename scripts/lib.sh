# Shared by the verbs of ./dev: messages, packages, builds, ports. Sourced, never run.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }
die() { printf 'dev: %s\n' "$*" >&2; exit 1; }

# usage SCRIPT: the comment block at the top of a verb's script is its help.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"; }

# help_asked ARG...: true when one of them asks for help.
help_asked() {
  local arg
  for arg in "$@"; do
    case $arg in -h | --help) return 0 ;; esac
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# packages_of GROUP...: their packages, from scripts/packages.txt.
packages_of() {
  local group
  for group in "$@"; do
    sed -n "s/^$group: *//p" scripts/packages.txt
  done | tr ' ' '\n' | sort -u
}

# missing_of PACKAGE...: those that dpkg does not have installed.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p') || true
  printf '%s\n' "$@" | grep -vxF -e "$installed" || true
}

# need GROUP...: installs what the groups name and the machine lacks. Costs one dpkg-query when nothing is missing.
need() {
  local wanted missing
  mapfile -t wanted < <(packages_of "$@")
  command -v dpkg-query >/dev/null ||
    die "this is not a Debian system: install the likes of ${wanted[*]} by hand (scripts/packages.txt)"
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "missing packages, and neither root nor sudo to install them: apt-get install ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  mkdir -p build
  if ! install_packages "${missing[@]}" >build/apt.log 2>&1; then
    tail -n 20 build/apt.log >&2
    die "apt-get could not install ${missing[*]} (above: the end of build/apt.log)"
  fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null; }

# install_packages PACKAGE...: refreshes apt's lists once, and only when they lack a package or went stale.
# Debian starts a server's service when its package arrives; a policy file, where the machine has none, holds
# that back for the time of the installation, so ports 11211 and 6379 stay as they were.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  if apt-cache show "$@" >/dev/null 2>&1 && apt install -y --no-install-recommends "$@"; then return 0; fi
  apt update && apt install -y --no-install-recommends "$@"
)

# build PRESET [TARGET...]: configures when there is nothing to build from, then builds (all by default).
build() {
  local preset=$1 target args=()
  shift
  for target in "$@"; do args+=(--target "$target"); done
  if [ ! -f "build/$preset/build.ninja" ] || [ CMakePresets.json -nt "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" -Wno-dev --log-level=WARNING || return 1
  fi
  cmake --build --preset "$preset" -j "$(nproc)" "${args[@]}"
}

# listener_inode PORT: the socket that listens on a TCP port of this machine; fails when none does.
listener_inode() {
  local hex inode
  hex=$(printf '%04X' "$1")
  inode=$(awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  [ -n "$inode" ] && printf '%s\n' "$inode"
}

# holder_of PORT: "memcached, pid 123" of the process that listens there, as far as /proc tells.
holder_of() {
  local inode fd pid
  inode=$(listener_inode "$1") || return 0
  fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$inode\]" -print -quit 2>/dev/null)
  pid=${fd#/proc/}
  pid=${pid%%/*}
  if [ -n "$pid" ]; then
    printf '%s, pid %s' "$(cat "/proc/$pid/comm" 2>/dev/null)" "$pid"
  else
    printf 'a process of another user or container'
  fi
}

# ask PORT TEXT: sends TEXT (printf escapes) to 127.0.0.1:PORT; prints the first line that comes back within 2 s.
ask() (
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit 1
  # shellcheck disable=SC2059
  printf "$2" >&3 2>/dev/null
  IFS= read -r -t 2 line <&3
  printf '%s\n' "${line%$'\r'}"
)

answers_memcache() { case $(ask "$1" 'version\r\n') in VERSION*) ;; *) return 1 ;; esac }
answers_redis() { case $(ask "$1" 'PING\r\n') in +PONG | -NOAUTH* | -DENIED*) ;; *) return 1 ;; esac }

# cpp_files: every C++ file of the tree that git knows or would add.
cpp_files() { git ls-files --cached --others --exclude-standard --deduplicate -- '*.cpp' '*.h' | while IFS= read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done; }
