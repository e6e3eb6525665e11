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
    # The tables themselves, row by row: short and long names in the page, long ones in the completion.
    table=$SOURCE/aotc/options.def
    [ "$tool" = bpf-aotc ] || table=$SOURCE/loader/options.def
    missing=
    while IFS=$'\t' read -r short long; do
      dash=--
      case $long in [!a-z]* | '') dash=- ;; esac
      [ "$short" = 0 ] || grep -q -- "^fB-${short}fR" <(sed -n '/SH OPTIONS/,$p' "$SCRATCH/page") || missing+="-$short"$'\n'
      [ -z "$long" ] && continue
      grep -qF -- "$dash$long" "$SCRATCH/page" || missing+="$dash$long is not in the manual"$'\n'
      grep -qE -- "[' ]$dash$long(=|[' ])" "$SCRATCH/completion" || missing+="$dash$long is not completed"$'\n'
    done < <(sed -nE "s/^BPFAOT_OPTION\([A-Za-z_]+, *('(.)'|(0)), *\"([^\"]*)\".*/\2\3\t\4/p" "$table")
    complain_if "table_of_${tool}_is_in_manual_and_completion" "$missing"
    check "table_of_${tool}_was_read" test "$(grep -c '^BPFAOT_OPTION(' "$table")" -gt 10
    check "help_of_${tool}_names_options" grep -q -- --json "$SCRATCH/help"
  done
fi
finish
