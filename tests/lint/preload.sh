#!/bin/bash
# SPDX-License-Identifier: MIT
# libbpfaot-preload.so of each machine takes part in nothing of the program it is loaded into: no
# symbol in or out, no library, no thread-local storage, no relocation that looks anything up.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

checked=0
for library in "$BUILD"/lib/bpf-aot/*/libbpfaot-preload.so; do
  [ -f "$library" ] || continue
  checked=$((checked + 1))
  name=$(basename "$(dirname "$library")")
  dynamic=$(readelf --wide --dynamic "$library" 2>&1)
  complain_if "${name}_has_no_dynamic_symbol" \
    "$(readelf --wide --dyn-syms "$library" | awk '$1 ~ /^[1-9][0-9]*:$/ && $4 != "SECTION"')"
  complain_if "${name}_needs_nothing" "$(grep -E 'NEEDED|TEXTREL|RPATH|RUNPATH|SONAME|PREINIT|FINI' <<<"$dynamic")"
  complain_if "${name}_starts_first" "$(grep -q 'FLAGS_1.*INITFIRST' <<<"$dynamic" || echo "no INITFIRST")"
  complain_if "${name}_has_no_thread_local_storage" "$(readelf --wide --program-headers "$library" | grep ' TLS ')"
  complain_if "${name}_has_no_writable_code" \
    "$(readelf --wide --program-headers "$library" | awk '/ (LOAD|GNU_STACK) / && / RWE|GNU_STACK.*E /')"
  complain_if "${name}_has_relative_relocations_only" \
    "$(readelf --wide --relocs "$library" | grep -E '^[0-9a-f]{8,} ' | grep -v '_RELATIVE')"
  complain_if "${name}_is_small" "$(find "$library" -size +1024k -printf '%s bytes\n')"
done
[ "$checked" -gt 0 ] || skip_all "libbpfaot-preload.so is not built"
finish
