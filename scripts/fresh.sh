#!/usr/bin/env bash
# ./dev fresh [--full] [--refresh]: prove ./dev run and ./dev test in a Debian 12 where nothing was installed
#
# Makes a minimal Debian 12 under build/fresh (debootstrap, once; --refresh makes it anew), puts git and a clone of
# HEAD into a copy of it, and there, as root, runs ./dev run, the README's lines against it, its end by SIGTERM, and
# ./dev test --quick (--full: the whole ./dev test). What is not committed is not tested. Needs root and about 4 GB;
# the ports of ./dev run have to be free, since the network is the machine's own.

full= refresh=
for arg in "$@"; do
  case $arg in
    --full) full=1 ;;
    --refresh) refresh=1 ;;
    *) die "fresh takes --full and --refresh, not '$arg'" ;;
  esac
done
[ "$(id -u)" = 0 ] || die "fresh needs root: it makes a system of its own and changes root into it"
unshare --mount --pid --fork true 2>/dev/null ||
  die "fresh needs mount and process namespaces, which this machine forbids (CAP_SYS_ADMIN)"
for port in 11211 6379 21211 26379; do
  if listener_inode "$port" >/dev/null; then die "port $port is taken by $(holder_of "$port")"; fi
done
need fresh

base=$PWD/build/fresh/base root=$PWD/build/fresh/root archives=$PWD/build/fresh/archives
mirror=$(sed -n 's/^URIs: *\([^ ]*debian\)\/\{0,1\}$/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*debian\)\/\{0,1\} .*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1) || true
mirror=${mirror:-http://deb.debian.org/debian}

# how_packages_are_reached ROOT: the machine's proxies, names and certificates, so that apt and npm inside see what they
# do outside. Not their sources: those are Debian's own, and npm's.
how_packages_are_reached() {
  local file
  cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
  for file in /etc/apt/apt.conf.d/*; do
    if grep -qsE 'Proxy|Verify-Peer|CaInfo|Check-Valid-Until|Check-Date' "$file"; then cp "$file" "$1/etc/apt/apt.conf.d/"; fi
  done
  if [ -f /etc/apt/apt.conf ]; then cp /etc/apt/apt.conf "$1/etc/apt/"; fi
  # Authorities of a network's own, which stand between it and the servers.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp -L /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
    chroot "$1" update-ca-certificates >/dev/null 2>&1
  fi
  cat >"$1/etc/apt/sources.list" <<SOURCES
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${mirror}-security bookworm-security main
SOURCES
}

if [ -n "$refresh" ]; then rm -rf build/fresh; fi
mkdir -p "$archives/partial"
if [ ! -f "$base/complete" ]; then
  say "making a minimal Debian 12 from $mirror"
  rm -rf "$base"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$base" "$mirror" >build/fresh/debootstrap.log 2>&1 || {
    tail -n 20 build/fresh/debootstrap.log >&2
    die "debootstrap failed (above: the end of build/fresh/debootstrap.log)"
  }
  touch "$base/complete"
fi

say "a copy of it, with git and a clone of $(git rev-parse --short HEAD)"
rm -rf --one-file-system "$root"
cp -a --reflink=auto "$base" "$root"
how_packages_are_reached "$root"
git clone --quiet --no-hardlinks . "$root/root/overlord"
cp scripts/fresh_inside.sh "$root/root/"

# Mounts and processes of the proof live in namespaces that end with it, however it ends.
exec unshare --mount --pid --fork --kill-child bash -c '
  set -euo pipefail
  root=$1 archives=$2 full=$3
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount --bind "$archives" "$root/var/cache/apt/archives"
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    chroot "$root" bash /root/fresh_inside.sh "$full"
' fresh "$root" "$archives" "$full"
