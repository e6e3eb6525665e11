#!/bin/bash
# SPDX-License-Identifier: MIT
# What is produced and what is shipped exports what is documented and needs nothing: images of the
# examples on every machine, and the tools themselves.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"

check_image() {
  local name=$1 image=$2 dynamic
  dynamic=$(readelf --wide --dynamic "$image" 2>&1)
  complain_if "${name}_exports_one_symbol" \
    "$(readelf --wide --dyn-syms "$image" | awk '$1 ~ /^[0-9]+:$/ && $7 != "UND" && $8 != "bpfaot_image"')"
  complain_if "${name}_has_no_undefined_symbol" \
    "$(readelf --wide --dyn-syms "$image" | awk '$1 ~ /^[1-9][0-9]*:$/ && $7 == "UND"')"
  complain_if "${name}_needs_nothing" \
    "$(grep -E 'NEEDED|TEXTREL|RPATH|RUNPATH|\((INIT|FINI|PREINIT)' <<<"$dynamic")"
  complain_if "${name}_has_no_writable_code" \
    "$(readelf --wide --program-headers "$image" | awk '/ (LOAD|GNU_STACK) / && / RWE|GNU_STACK.*E /')"
  complain_if "${name}_has_no_thread_local_storage" \
    "$(readelf --wide --program-headers "$image" | grep ' TLS ')"
  complain_if "${name}_has_relative_relocations_only" \
    "$(readelf --wide --relocs "$image" | grep -E '^[0-9a-f]{8,} ' | grep -v '_RELATIVE')"
}

for example in "$SOURCE"/examples/*.bpf.c; do
  name=$(basename "$example" .bpf.c)
  if ! compile_bpf "$example" "$SCRATCH/$name.o" >"$SCRATCH/log" 2>&1; then
    fail "$name" "$(cat "$SCRATCH/log")"
    continue
  fi
  for arch in x86_64 aarch64 riscv64; do
    if "$AOTC" "$SCRATCH/$name.o" -t "$arch" -o "$SCRATCH/$name-$arch.so" >"$SCRATCH/log" 2>&1; then
      check_image "${name}_$arch" "$SCRATCH/$name-$arch.so"
    else
      fail "${name}_$arch" "$(cat "$SCRATCH/log")"
    fi
  done
done

# Executables export nothing of their own; what remains is what libc and libstdc++ require of them.
for tool in "$AOTC" "$AOT"; do
  [ -x "$tool" ] || continue
  complain_if "exports_of_$(basename "$tool")" "$(nm -D --defined-only -C "$tool" |
    grep -E 'bpfaot' | head)"
done
# The loader reads ELF itself and decodes code itself: boards need no library beside those of C and C++.
if [ -x "$AOT" ]; then
  complain_if bpf-aot_needs_no_library_of_the_host "$(readelf --wide --dynamic "$AOT" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libgcc_s|libstdc\+\+|libpthread|ld-linux[a-z0-9-]*)\.so')"
  complain_if bpf-aot_has_nothing_of_libelf "$(nm -C "$AOT" 2>/dev/null | grep -wE 'elf_memory|elf_begin|gelf_getehdr|cs_open' | head)"
fi
finish
