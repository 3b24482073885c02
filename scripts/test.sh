#!/usr/bin/env bash
# ./dev test [--quick] [--write|--strict] [STAGE...]: build and run every test
#
# Stages, in order: system (release build), faults (the fault matrix, each row and protocol on one io driver; ./dev faults
# has both), clients (real client libraries and tools through the release build, compared with
# docs/compatibility.md; --write: write that file, --strict: it must be current), lint, fuzz (each target for
# FUZZ_SECONDS, 5 unless set), asan and tsan (each builds with the sanitizer and runs unit tests, and system tests again:
# without those of bench/, on one io driver unless OVERLORD_IO=epoll,io_uring; with tsan those that concern threads; asan
# ends with a soak, ./dev soak, of SOAK_SECONDS, 40 unless set). OVERLORD_WHOLE=1: the whole matrix, and everything with
# tsan too. A further stage, unit, runs the unit tests of the release build; --quick: unit and system alone.
# The first stage that fails is the last to run, and shows all of its failures. Logs are in build/test/.
# The last line but for a failure's names is "N passed, N failed".

need build servers test
. scripts/aslr.sh
stages=()
for arg in "$@"; do
  case $arg in
    --quick) stages+=(unit system) ;;
    --write | --strict) export CLIENTS_OPTION=$arg ;;
    unit | system | faults | clients | lint | asan | tsan | fuzz) stages+=("$arg") ;;
    *) die "no stage '$arg': unit, system, faults, clients, lint, asan, tsan or fuzz" ;;
  esac
done
[ "${#stages[@]}" -gt 0 ] || stages=(system faults clients lint fuzz asan tsan)
for stage in "${stages[@]}"; do
  case $stage in
    clients)
      need clients
      command -v npm >/dev/null || need npm # which comes with Node where that is not Debian's
      ;;
    faults | asan) need faults ;;
    lint) need lint tidy ;;
    fuzz) need fuzz ;;
  esac
done
exec "${fixed_addresses[@]}" /usr/bin/python3 scripts/test.py "${stages[@]}"
