#!/bin/bash
# SPDX-License-Identifier: MIT
# bpf-aotc-conformance by its protocol: rows of the public file, machines, and input that is none.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
plugin=$BUILD/bin/bpf-aotc-conformance

# same NAME WANT PROGRAM [ARGUMENT…]
same() {
  local name=$1 want=$2 program=$3 got
  shift 3
  got=$("$plugin" "$@" <<<"$program" 2>"$SCRATCH/err") || { fail "$name" "status $?: $(cat "$SCRATCH/err")"; return; }
  [ "$got" = "$want" ] && pass "$name" || fail "$name" "r0 is $got, not $want"
}
# refuses NAME STATUS TEXT PROGRAM [ARGUMENT…]
refuses() {
  local name=$1 status=$2 text=$3 program=$4 got
  shift 4
  "$plugin" "$@" <<<"$program" >"$SCRATCH/out" 2>"$SCRATCH/err"
  got=$?
  if [ $got != "$status" ] || [ -s "$SCRATCH/out" ] || ! grep -qF -- "$text" "$SCRATCH/err"; then
    fail "$name" "status $got, $(cat "$SCRATCH/out" "$SCRATCH/err")"
  else
    pass "$name"
  fi
}

# Every twelfth row; isa_test runs all of them without the protocol.
count=0
while IFS=$'\x1f' read -r name version program memory expected; do
  count=$((count + 1))
  [ $((count % 12)) = 0 ] || continue
  same "row_$name" "$(printf '%x' "$expected")" "$program" ${memory:+"$memory"}
done < <(grep -v '^#' "$SOURCE/tests/data/conformance.tsv" | tr '\t' '\037')
[ $count = 186 ] && pass all_rows_are_read || fail all_rows_are_read "$count rows"

two="b7 00 00 00 02 00 00 00 95 00 00 00 00 00 00 00"
mem_len="bf20000000000000 9500000000000000"
same blanks_between_bytes 2 "$two"
same no_final_newline 2 "$two"
same upper_case ab "B7000000AB000000 9500000000000000"
same memory_length 3 "$mem_len" 0a0b0c
same no_memory_means_zero 0 "bf10000000000000 0f20000000000000 9500000000000000"
same an_empty_memory_means_zero 0 "$mem_len" ""
same memory_is_readable a "7110000000000000 9500000000000000" 0a0b0c
same memory_is_writable 7 "7201000007000000 7110000000000000 9500000000000000" 0a0b0c
same options_after_the_memory a "7110000000000000 9500000000000000" 0a0b0c -O0
for machine in aarch64 riscv64; do
  if command -v "qemu-$machine" >/dev/null && [ -x "$BUILD/lib/bpf-aotc/$machine-unknown-linux-gnu/run_image" ]; then
    same "on_$machine" a "7110000000000000 9500000000000000" 0a0b0c -t "$machine"
  else
    skip "on_$machine" "no compiler or no qemu-user"
  fi
done

refuses odd_digits 2 "not hexadecimal" "b7000000020000009"
refuses no_hex 2 "not hexadecimal" "hello"
refuses a_memory_that_is_no_hex 2 "memory is not" "$two" 0xzz
refuses two_memories 2 "more than one" "$two" 00 11
refuses an_unknown_option 2 "--nonsense" "$two" 00 --nonsense
refuses an_unknown_machine 2 "target-unknown" "$two" -t vax
refuses a_level_that_is_none 2 "--optimize" "$two" -O9
refuses part_of_an_instruction 1 "insn-truncated" "b700000002"
refuses no_program 1 "[" ""
refuses no_exit 1 "falls-off" "b700000002000000"
refuses an_unknown_opcode 1 "insn-opcode" "ff00000000000000 9500000000000000"
refuses reserved_fields 1 "insn-reserved" "9500000000000001"
refuses register_11 1 "insn-register" "b70b000000000000 9500000000000000"
refuses half_a_lddw 1 "insn-truncated" "1800000000000000"
refuses a_jump_into_a_lddw 1 "jump-target" "0500010000000000 1800000000000000 0000000000000000 9500000000000000"
refuses a_jump_far_away 1 "jump-target" "0500ff7f00000000 9500000000000000"
refuses a_call_far_away 1 "jump-target" "8510000000ffff7f 9500000000000000"
refuses an_access_outside 1 "map-value-oob" "7110030000000000 9500000000000000" 0a0b0c
refuses an_access_without_memory 1 "not-pointer" "7110000000000000 9500000000000000"
refuses an_endless_loop 1 "endless-loop" "b700000000000000 0500ffff00000000"
refuses a_map_by_number 1 "reloc-malformed" "1811000000000000 0000000000000000 9500000000000000" 00
refuses a_helper_that_is_none 1 "helper-invalid" "85000000ffff0000 9500000000000000"
head -c 100000 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$SCRATCH/noise"
"$plugin" <"$SCRATCH/noise" >"$SCRATCH/out" 2>"$SCRATCH/err"
[ $? = 1 ] && [ ! -s "$SCRATCH/out" ] && pass noise || fail noise "$(cat "$SCRATCH/err")"
"$plugin" --help | grep -q "bpf_conformance" && pass help || fail help
finish
