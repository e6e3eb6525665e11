#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the fuzzers, each for some seconds (60, or the first argument), on what real objects seed.
# Findings stop it and stay in build/fuzz/findings/.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${1:-60}
"$REPO/scripts/install-packages.sh"
fuzz=$BUILD/fuzz
say "fuzz: building"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake -S "$REPO" -B "$fuzz" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBPFAOT_BUILD_FUZZERS=ON \
  -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 >"$log" 2>&1 &&
  ninja -C "$fuzz" fuzz_object fuzz_seeds >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  die "building the fuzzers failed"
}
mkdir -p "$fuzz/corpus" "$fuzz/findings"
for fuzzer in fuzz_object; do
  say "fuzz: $fuzzer for $seconds s"
  "$fuzz/tests/$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$fuzz/findings/" "$fuzz/corpus" "$fuzz/tests/seeds" >"$log" 2>&1 || {
    tail -n 60 "$log" >&2
    die "$fuzzer found something: see $fuzz/findings"
  }
  grep -E 'stat::(number_of_executed_units|peak_rss_mb)' "$log"
done
