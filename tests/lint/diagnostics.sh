#!/bin/bash
# SPDX-License-Identifier: MIT
# Every code of support/diagnostics.def has an entry in docs/diagnostics.md ("### code"), every entry
# is a code, no code is there twice, and every code is used somewhere.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$SOURCE" || exit 1

rows() { tr '\n' ' ' <support/diagnostics.def | grep -oE 'BPFAOT_CODE\(k[A-Za-z0-9]+, *"[^"]+"'; }
rows | sed 's/.*"\(.*\)"/\1/' | sort >"$SCRATCH/codes"
sed -nE 's/^#{3,4} `?([a-z0-9-]+)`?[[:space:]]*$/\1/p' docs/diagnostics.md | sort >"$SCRATCH/entries"

complain_if no_code_is_defined_twice "$(uniq -d "$SCRATCH/codes")"
complain_if no_code_is_documented_twice "$(uniq -d "$SCRATCH/entries")"
complain_if every_code_is_documented "$(comm -23 <(sort -u "$SCRATCH/codes") <(sort -u "$SCRATCH/entries"))"
complain_if every_entry_is_a_code "$(comm -13 <(sort -u "$SCRATCH/codes") <(sort -u "$SCRATCH/entries"))"

unused=
for name in $(rows | sed 's/BPFAOT_CODE(\(k[A-Za-z0-9]*\),.*/\1/'); do
  grep -rqE "Code::$name\b" support bpf verifier targets linker aotc loader \
    --include='*.cpp' --include='*.h' --include='*.def' || unused+="$name"$'\n'
done
complain_if every_code_is_used "$unused"
finish
