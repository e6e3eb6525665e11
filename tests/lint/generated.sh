#!/bin/bash
# SPDX-License-Identifier: MIT
# Generated pages are those that the tables give today; help and manual name the same options.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
if [ -x "$BUILD/tests/print_supported" ]; then
  "$BUILD/tests/print_supported" >"$SCRATCH/supported.md"
  check supported_page_is_current diff "$SOURCE/docs/supported.md" "$SCRATCH/supported.md"
else
  skip supported_page_is_current "built without the compiler"
fi
if [ -x "$BUILD/tests/print_manual" ]; then
  for tool in bpf-aotc bpf-aot; do
    [ -x "$BUILD/bin/$tool" ] || { skip "manual_of_$tool" "not built"; continue; }
    "$BUILD/tests/print_manual" man "$tool" | sed 's/\\//g' >"$SCRATCH/page"
    "$BUILD/tests/print_manual" bash "$tool" >"$SCRATCH/completion"
    check "completion_of_${tool}_is_shell" bash -n "$SCRATCH/completion"
    "$BUILD/bin/$tool" --help >"$SCRATCH/help"
    for verb in $(sed -n "s/.*words='\([^']*\)'.*/\1/p" "$SCRATCH/completion"); do
      "$BUILD/bin/$tool" "$verb" --help >>"$SCRATCH/help"
    done
    missing=
    for option in $(grep -oE '^ +(-., )?--[a-z][a-z-]*' "$SCRATCH/help" | grep -oE '\-\-[a-z-]+' | sort -u); do
      grep -qF -- "$option" "$SCRATCH/page" || missing+="$option is not in the manual"$'\n'
    done
    complain_if "manual_of_${tool}_has_every_option" "$missing"
    check "help_of_${tool}_names_options" grep -q -- --json "$SCRATCH/help"
  done
fi
finish
