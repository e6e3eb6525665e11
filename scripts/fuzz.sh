#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every fuzzer for its share of some seconds (80 in all, or the first argument; further arguments
# name fuzzers), on what real objects, probes and programs seed. A finding stops it and stays in
# build/fuzz/findings/; what each has reached stays in build/fuzz/corpus/ for the next time.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${1:-80}
[ $# -eq 0 ] || shift
fuzzers=("$@")
[ $# -gt 0 ] || fuzzers=(object program insn image maps plan code text)
fuzz=$BUILD/fuzz
seeds=$fuzz/tests/seeds

"$REPO/scripts/install-packages.sh"
say "fuzz: building"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake -S "$REPO" -B "$fuzz" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 \
  -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBPFAOT_BUILD_FUZZERS=ON -DBPFAOT_BUILD_TESTS=ON -DBPFAOT_CROSS_LOADERS=OFF \
  -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 >"$log" 2>&1 &&
  ninja -C "$fuzz" "${fuzzers[@]/#/fuzz_}" fuzz_seeds >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  die "building the fuzzers failed"
}

# Images are made by the compiler that is not instrumented.
[ -x "$BUILD/bin/bpf-aotc" ] || die "no $BUILD/bin/bpf-aotc: run scripts/build.sh first"
for machine in x86_64 aarch64 riscv64; do
  for source in "$REPO"/examples/*.bpf.c "$REPO"/tests/system/programs/*.bpf.c; do
    name=$(basename "$source" .bpf.c)-$machine
    arch=${machine/x86_64/x86} arch=${arch/aarch64/arm64} arch=${arch/riscv64/riscv}
    [ ! -e "$seeds/image/$name.so" ] || continue
    clang-19 -O2 -g -target bpf "-D__TARGET_ARCH_$arch" -I "/usr/include/$(uname -m)-linux-gnu" \
      -c "$source" -o "$seeds/image.o" 2>"$log" || continue # some are for one machine alone
    "$BUILD/bin/bpf-aotc" -t "$machine" "$seeds/image.o" -o "$seeds/image/$name.so" 2>"$log" || true
  done
done
rm -f "$seeds/image.o"
[ -n "$(ls "$seeds/image")" ] || die "no image could be made as a seed"

mkdir -p "$fuzz/findings"
share=$(((seconds + ${#fuzzers[@]} - 1) / ${#fuzzers[@]}))
jobs=$(nproc)
export BPFAOT_FUZZ_RUNTIME=$BUILD/lib/bpf-aotc # what fuzz_lower links

# run NAME: one fuzzer; its figures on one line.
run() {
  local name=$1 from=$seeds/$1
  case $name in program) from=$seeds/object ;; lower) from=$seeds/insn ;; esac
  mkdir -p "$fuzz/corpus/$name"
  "$fuzz/tests/fuzz_$name" -max_total_time="$((share * (jobs > 1 ? 2 : 1)))" -timeout=60 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$fuzz/findings/$name-" "$fuzz/corpus/$name" "$from" \
    >"$fuzz/$name.log" 2>&1 || {
    printf 'fuzz_%s found something:\n' "$name"
    tail -n 60 "$fuzz/$name.log"
    return 1
  }
  printf 'fuzz_%s: %s executions, %s edges, %s MB\n' "$name" \
    "$(awk '/stat::number_of_executed_units/ { print $2 }' "$fuzz/$name.log")" \
    "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$fuzz/$name.log" | tail -n 1)" \
    "$(awk '/stat::peak_rss_mb/ { print $2 }' "$fuzz/$name.log")"
}

# Two at a time where there are two processors: each then has twice its share.
say "fuzz: ${fuzzers[*]}, $seconds s in all"
failed=0
while [ ${#fuzzers[@]} -gt 0 ]; do
  pids=()
  for name in "${fuzzers[@]:0:$((jobs > 1 ? 2 : 1))}"; do
    run "$name" &
    pids+=($!)
  done
  fuzzers=("${fuzzers[@]:$((jobs > 1 ? 2 : 1))}")
  for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
  done
  [ $failed -eq 0 ] || die "findings are in $fuzz/findings"
done
say "fuzz: nothing found"
