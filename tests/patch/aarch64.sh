#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs tests/patch/execution.cpp, compiled in several ways, on a processor that signs return addresses
# and on one that does not.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
QEMU=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || skip_all "no qemu-aarch64"

# The support code is copied away from everything else, to another place in its page.
complain_if support_code_refers_to_itself_only "$(aarch64-linux-gnu-objdump -r -j bpfaot_support "$BUILD/tests/patch_aarch64_support.o" |
  grep R_AARCH64 | grep -vE 'R_AARCH64_(CALL26|JUMP26|ADR_PREL_LO21) +(bpfaot_|__start_bpfaot_support)')"

for variant in plain signed_a signed_b no_frame_pointer; do
  for cpu in max cortex-a57; do
    output=$(timeout 120 "$QEMU" -cpu $cpu "$BUILD/tests/patch_aarch64_$variant" 2>&1)
    status=$?
    why=
    while read -r word rest; do
      case $word in
      ok) pass "${rest}_${variant}_$cpu" ;;
      FAILED) fail "${rest}_${variant}_$cpu" "$why" ;;
      *) why+=$'\n'"$word $rest" ;;
      esac
    done <<<"$output"
    if [ $status -eq 0 ]; then
      pass "ends_well_${variant}_$cpu"
    else
      fail "ends_well_${variant}_$cpu" "status $status: $(tail -2 <<<"$output")"
    fi
  done
done
finish
