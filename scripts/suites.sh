#!/usr/bin/env bash
# ./dev suites [NAME...]: the own test suites of redis and memcached, through the proxy (some minutes)
#
# Takes the sources of both from Debian (apt-get source) into build/suites/, starts a server and the proxy before it,
# and runs what of their suites works on a server that runs already. NAME: units of redis (unit/type/list) or scripts of
# memcached (t/binary.t), else all that tests/suites/redis.txt and tests/suites/memcached.txt name. These files also say
# which tests are left out and why. A test that fails and is not there makes the exit code 1.

need build servers test suites
build release overlord-proxy
folder=build/suites
mkdir -p "$folder"/apt/lists/partial "$folder"/apt/cache
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || die "no $keyring: the sources come from Debian's archive"
if ! ls -d "$folder"/redis-*/tests "$folder"/memcached-*/t >/dev/null 2>&1; then
  say "fetching the sources of redis and memcached"
  echo "deb-src [signed-by=$keyring] http://deb.debian.org/debian bookworm main" >"$folder/apt/sources.list"
  own=(-o Dir::Etc::sourcelist="$PWD/$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$PWD/$folder/apt/lists" -o Dir::Cache="$PWD/$folder/apt/cache" -o APT::Sandbox::User=root)
  {
    apt-get "${own[@]}" -q update
    (cd "$folder" && apt-get "${own[@]}" -q source --download-only redis memcached)
  } >"$folder/apt.log" 2>&1 || {
    tail -n 20 "$folder/apt.log" >&2
    die "the sources could not be fetched (above: the end of $folder/apt.log)"
  }
  for archive in "$folder"/*.orig.tar.*; do tar -xf "$archive" -C "$folder"; done
fi
/usr/bin/python3 -B tests/suites/run.py "$folder" "$@"
