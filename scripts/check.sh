#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, runs every test. The last line is "N passed, N failed, N
# skipped", counting GoogleTest cases and cases of script tests; exit 1 when one failed.
# Arguments go to ctest (for example: -L unit).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BPFAOT_TESTS=ON "$REPO/scripts/build.sh"

results=$BUILD/test-results
rm -rf "$results"
mkdir -p "$results"

say "check: running the tests"
status=0
# GoogleTest programs leave one XML file each; script tests leave NAME.cases (tests/lib.sh).
GTEST_OUTPUT=xml:$results/ GTEST_BRIEF=1 BPFAOT_RESULTS=$results \
  ctest --test-dir "$BUILD" --output-junit "$results/ctest.junit" --output-on-failure \
  --no-tests=error -j "$(nproc)" "$@" || status=$?

[ -s "$results/ctest.junit" ] || die "ctest left no results (status $status)"
awk -f "$REPO/scripts/summary.awk" -v results="$results" "$results/ctest.junit"
