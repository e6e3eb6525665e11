#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/patch/MACHINE/NAME.in.S is a function with a site; NAME.out.S is its whole trampoline. Each file
# says where its code is with ".section .text" at the address given in its first "at:" comment.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
command -v clang-19 >/dev/null && command -v ld.lld-19 >/dev/null || skip_all "no clang-19 or lld-19"

# build FILE.S OUT [lld option]
build() {
  local at
  at=$(sed -n 's/.*at: \(0x[0-9a-f]*\).*/\1/p;' "$1" | head -1)
  clang-19 --target="$machine-linux-gnu" ${march:+-march=$march} -I "$(dirname "$1")" -c "$1" -o "$2.o" &&
    ld.lld-19 --no-relax --noinhibit-exec -Ttext="$at" -e 0 "${@:3}" "$2.o" -o "$2"
}

listing() {
  llvm-objdump-19 -d "$@" | sed '1,/>:$/d; s/<.*//'
}

count=0
for input in "$SOURCE"/tests/patch/*/*.in.S; do
  name=$(basename "$input" .in.S) machine=$(basename "$(dirname "$input")")
  case=${machine}_$name march=
  case $machine in
  x86_64) format=elf64-x86-64 ;;
  aarch64) format=elf64-littleaarch64 march=armv8.3-a ;;
  riscv64) format=elf64-littleriscv march=rv64gc ;;
  esac
  count=$((count + 1))
  if ! message=$(build "$input" "$SCRATCH/in" 2>&1 &&
    build "${input%.in.S}.out.S" "$SCRATCH/out" --just-symbols="$SCRATCH/in" 2>&1); then
    fail "$case" "$message"
    continue
  fi
  if message=$("$BUILD/tests/patch_pairs" "$SCRATCH/in" "$SCRATCH/out" "$SCRATCH/made" 2>&1); then
    pass "$case"
    continue
  fi
  if [ -s "$SCRATCH/made" ]; then
    llvm-objcopy-19 -I binary -O "$format" --rename-section=.data=.text,code,alloc,load "$SCRATCH/made" "$SCRATCH/got"
    message+=$'\n'$(diff <(listing "$SCRATCH/out") <(listing "$SCRATCH/got" --adjust-vma=0x4000800))
    rm -f "$SCRATCH/made"
  fi
  fail "$case" "$message"
done
[ $count -ge 10 ] && pass there_are_pairs || fail there_are_pairs "$count"
finish
