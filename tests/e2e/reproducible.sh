#!/bin/bash
# SPDX-License-Identifier: MIT
# The same object gives the same bytes, in whichever folder, at whichever time, by whichever path.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"

for example in "$SOURCE"/examples/*.bpf.c; do
  name=$(basename "$example" .bpf.c)
  compile_bpf "$example" "$SCRATCH/$name.bpf.o"
  mkdir -p "$SCRATCH/one" "$SCRATCH/two/a longer name"
  cp "$SCRATCH/$name.bpf.o" "$SCRATCH/one"
  cp "$SCRATCH/$name.bpf.o" "$SCRATCH/two/a longer name"
  for arch in x86_64 aarch64 riscv64; do
    (cd "$SCRATCH/one" && "$AOTC" "$name.bpf.o" -t $arch -o a.so) &&
      (cd "$SCRATCH/two/a longer name" &&
        TZ=Asia/Tokyo LANG=C HOME=/nonexistent "$AOTC" -t $arch -o "$PWD/b.so" "$PWD/$name.bpf.o")
    check "${name}_${arch}_is_the_same_in_two_folders" cmp "$SCRATCH/one/a.so" "$SCRATCH/two/a longer name/b.so"
    complain_if "${name}_${arch}_names_no_path" "$(grep -aoE "$SCRATCH[^[:cntrl:]]*|$SOURCE[^[:cntrl:]]*" "$SCRATCH/one/a.so")"
    rm -f "$SCRATCH/one/a.so" "$SCRATCH/two/a longer name/b.so"
  done
done
finish
