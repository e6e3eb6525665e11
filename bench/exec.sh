#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How fast compiled programs run: each program of bench/exec/programs as eBPF through bpf-aotc, as
# native C by clang over the same minirt, and through the kernel's JIT.
# usage: bench/exec.sh [BUILD_DIR] [--only NAME,…] [--rounds N] [--json] [--check]
# The table goes to standard output and, as text and JSON, to BUILD_DIR/bench/. --check runs without
# timing: exit 1 when the three do not give the same numbers.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build only="" form=txt rounds=200 check=no
while [ $# -gt 0 ]; do
  case $1 in
  --json) form=json ;;
  --only) only=$2; shift ;;
  --rounds) rounds=$2; shift ;;
  --check) check=yes ;;
  -h | --help) sed -n '3,8s/^# //p' "$0"; exit 0 ;;
  *) build=$(cd "$1" && pwd) ;;
  esac
  shift
done
machine=$(uname -m)
exec=$build/bin/bench_exec compiler=$build/bin/bpf-aotc
if [ $check = yes ]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
else
  out=$build/bench/exec
  rm -rf "$out"
  mkdir -p "$out"
fi
cd "$out"

# Native code: the program and minirt as one module, optimised together, as clang -O2 would do one
# source file; the same CPU level as images have.
case $machine in x86_64) cpu=x86-64-v2 ;; aarch64) cpu=armv8-a ;; *) cpu=rv64gc ;; esac
native=(clang-19 -O2 "-march=$cpu" -fPIC -fvisibility=hidden -std=gnu11 -DBPFAOT_MINIRT_BITCODE -Wall
  -I "$root" -I "$root/include" -I "$root/targets/$machine" -I "$root/bench/exec")
front=(-Xclang -disable-llvm-passes -emit-llvm -c)
mkdir minirt
for source in "$root"/minirt/*.c; do
  part=$(basename "$source" .c)
  case $part in memory | native | map_access) continue ;; esac # libc's, and the loader's
  "${native[@]}" "${front[@]}" "$source" -o "minirt/$part.bc"
done
"${native[@]}" "${front[@]}" "$root/bench/exec/runtime_block.c" -o runtime_block.bc
llvm-link-19 minirt/*.bc -o minirt.bc

names=()
for source in "$root"/bench/exec/programs/*.c; do
  name=$(basename "$source" .c)
  [ -z "$only" ] || [ "$name" = empty ] || [[ ,$only, = *,$name,* ]] || continue
  [ "$name" = empty ] || names+=("$name")
  level=$(sed -n 's,^// cpu: ,,p' "$source")
  clang-19 -g -O2 -target bpf "-mcpu=${level:-v3}" -Wall -I "$root/bench/exec" -I "/usr/include/$machine-linux-gnu" \
    -c "$source" -o "$name.bpf.o"
  "$compiler" "$name.bpf.o" -o "$name.so"
  flags=$("$exec" flags . "$name")
  "${native[@]}" "${front[@]}" "-DBENCH_FLAGS=${flags}u" "$source" -o program.bc
  llvm-link-19 program.bc runtime_block.bc -o with_block.bc
  llvm-link-19 --only-needed --internalize with_block.bc minirt.bc -o whole.bc
  "${native[@]}" -Wno-unused-command-line-argument -shared whole.bc -o "$name.native.so"
done
[ ${#names[@]} != 0 ] || { echo "no such program: $only" >&2; exit 1; }

if [ $check = yes ]; then
  "$exec" check . "${names[@]}"
  exit
fi
"$exec" time . "$rounds" empty "${names[@]}" > times.txt
# Instructions that one run takes: the difference of many runs and one.
if command -v valgrind > /dev/null; then
  valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=callgrind \
    "$exec" count . "${names[@]}" > valgrind.txt 2>&1 || { tail -n 5 valgrind.txt >&2; rm -f callgrind*; }
fi
python3 "$root/bench/exec/table.py" . > "../exec.txt"
python3 "$root/bench/exec/table.py" . --json > "../exec.json"
cat "../exec.$form"
