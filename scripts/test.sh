#!/usr/bin/env bash
# ./dev test [--quick] [STAGE...]: build and run every test
#
# Stages, in order: unit and system (release build), lint, asan, tsan (each builds with the sanitizers and runs unit
# and system tests again, but for those of bench/), fuzz (each target for FUZZ_SECONDS, 10 unless set). --quick: unit
# and system alone.
# The first stage that fails is the last to run, and shows all of its failures. Logs are in build/test/.
# The last line but for a failure's names is "N passed, N failed".

need build servers test
. scripts/aslr.sh
stages=()
for arg in "$@"; do
  case $arg in
    --quick) stages+=(unit system) ;;
    unit | system | lint | asan | tsan | fuzz) stages+=("$arg") ;;
    *) die "no stage '$arg': unit, system, lint, asan, tsan or fuzz" ;;
  esac
done
[ "${#stages[@]}" -gt 0 ] || stages=(unit system lint asan tsan fuzz)
for stage in "${stages[@]}"; do
  case $stage in
    lint) need lint tidy ;;
    fuzz) need fuzz ;;
  esac
done
exec "${fixed_addresses[@]}" /usr/bin/python3 scripts/test.py "${stages[@]}"
