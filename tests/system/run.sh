#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh BUILD_DIR [NAME…]: runs tests/system/NAME.test (all without a name) on the tools of
# BUILD_DIR, each bounded in time. One name: its own exit status; several: a line for each, and 1
# when any of them failed.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { echo "usage: run.sh BUILD_DIR [NAME…]" >&2; exit 2; }
BPFAOT_BUILD_DIR=$(cd "$1" && pwd) || exit 2
export BPFAOT_BUILD_DIR
shift
limit=${BPFAOT_TEST_LIMIT:-150}

run_one() { timeout -k 5 "$limit" bash "$here/$1.test"; }

if [ $# = 1 ]; then
  run_one "$1"
  status=$?
  [ $status != 124 ] || echo "FAIL: $1: not finished after $limit s"
  exit $status
fi
[ $# -gt 0 ] || set -- $(cd "$here" && printf '%s\n' *.test | sed 's/\.test$//')
failed=0 skipped=0 passed=0
for name in "$@"; do
  output=$(run_one "$name" 2>&1)
  case $? in
    0) passed=$((passed + 1)); echo "ok    $name" ;;
    77) skipped=$((skipped + 1)); echo "skip  $name: $(tail -n 1 <<<"$output")" ;;
    *) failed=$((failed + 1)); echo "FAIL  $name"; sed 's/^/      /' <<<"$output" | tail -n 60 ;;
  esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
