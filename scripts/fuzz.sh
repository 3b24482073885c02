#!/usr/bin/env bash
# ./dev fuzz [TARGET] [SECONDS]: fuzz one parser, or each in turn (60 s each unless SECONDS says)
#
# TARGET is the name of a fuzz/TARGET.cpp, with or without its _fuzz. Seeds are fuzz/corpus/TARGET/; what a run finds
# is kept in build/fuzz/corpus/TARGET/, inputs that break something in build/fuzz/crashes/.
# ./dev fuzz merge [TARGET]: adds to fuzz/corpus/TARGET/ those finds that reach new code.

need build fuzz
merge=
if [ "${1-}" = merge ]; then
  merge=1
  shift
fi
case ${1-} in
  "" | *[!0-9]*) only=${1-} seconds=${2:-60} ;;
  *) only= seconds=$1 ;;
esac
only=${only:+${only%_fuzz}_fuzz}
targets=()
for source in fuzz/*_fuzz.cpp; do
  name=$(basename "$source" .cpp)
  if [ -f "$source" ] && [ "${only:-$name}" = "$name" ]; then targets+=("$name"); fi
done
[ "${#targets[@]}" -gt 0 ] || die "no fuzz target${only:+ '$only'}: they are fuzz/*_fuzz.cpp"

build fuzz fuzzers
broken=()
for name in "${targets[@]}"; do
  seeds=fuzz/corpus/$name finds=build/fuzz/corpus/$name
  mkdir -p "$seeds" "$finds" build/fuzz/crashes
  if [ -n "$merge" ]; then
    build/fuzz/bin/"$name" -merge=1 "$seeds" "$finds"
    continue
  fi
  options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="build/fuzz/crashes/$name-")
  if [ -f "fuzz/$name.dict" ]; then options+=(-dict="fuzz/$name.dict"); fi
  say "$name for $seconds s"
  build/fuzz/bin/"$name" "${options[@]}" "$finds" "$seeds" || broken+=("$name")
done
[ "${#broken[@]}" -eq 0 ] || die "broken by the inputs in build/fuzz/crashes: ${broken[*]}"
