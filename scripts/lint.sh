#!/usr/bin/env bash
# ./dev lint [--full]: layout of the C++ files, and the project's own rules
#
# Checks: clang-format, the floors (which module includes which), file sizes, left-over marks, where heavy headers
# are allowed, and that each of these checks can fail. --full adds clang-tidy over the sources in src and
# apps: minutes at first, then only over what changed.

full=
case ${1-} in
  "") ;;
  --full) full=1 ;;
  *) die "lint takes --full or nothing" ;;
esac
need lint test
bad=0

# check NAME COMMAND...: runs it, remembers the verdict (for ./dev test, in the file that LINT_RESULTS names).
check() {
  local name=$1 verdict=ok
  shift
  "$@" || { verdict=failed bad=1; }
  printf '%-7s %s\n' "$verdict" "$name"
  if [ -n "${LINT_RESULTS-}" ]; then printf '%s %s\n' "$verdict" "$name" >>"$LINT_RESULTS"; fi
}

mapfile -t files < <(cpp_files)
check "layout (./dev format repairs it)" clang-format-19 --dry-run -Werror -- "${files[@]}"
for rule in tests/tidy/[!_]*.py; do
  case $rule in *_test.py) continue ;; esac
  check "$(basename "$rule" .py)" /usr/bin/python3 -B "$rule"
done
check "the checks can fail" /usr/bin/python3 -B -m pytest -q -p no:cacheprovider tests/tidy/rules_test.py
if [ -n "$full" ]; then
  need build tidy
  cmake --preset release -Wno-dev --log-level=WARNING
  mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '^(src|apps)/.*\.cpp$' | grep -v '_test\.cpp$')
  check "clang-tidy" /usr/bin/python3 -B scripts/tidy.py "${sources[@]}"
fi
exit $bad
