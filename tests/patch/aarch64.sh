#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs tests/patch/execution.cpp, compiled in several ways, on a processor that signs return addresses
# and on one that does not.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
QEMU=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || skip_all "no qemu-aarch64"

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
