#!/bin/bash
# SPDX-License-Identifier: MIT
# Generated pages are those that the tables give today.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
if [ -x "$BUILD/tests/print_supported" ]; then
  "$BUILD/tests/print_supported" >"$SCRATCH/supported.md"
  check supported_page_is_current diff "$SOURCE/docs/supported.md" "$SCRATCH/supported.md"
else
  skip supported_page_is_current "built without the compiler"
fi
finish
