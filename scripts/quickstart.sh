#!/bin/bash
# SPDX-License-Identifier: MIT
# From nothing to events of a running program: installs what is missing, builds, compiles
# examples/malloc_sizes.bpf.c to eBPF and then to native code, and runs perl with it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$REPO/scripts/build.sh"

folder=$BUILD/quickstart
mkdir -p "$folder"
cd "$REPO"
case $(uname -m) in
x86_64) flavour=x86 ;;
aarch64) flavour=arm64 ;;
riscv64) flavour=riscv ;;
*) die "no probe can run on $(uname -m)" ;;
esac
program='$| = 1; print "perl: eight tables, then a lot of small strings\n";
  my @tables = map { select undef, undef, undef, 0.1; [ (0) x ($_ * 10000) ] } 1 .. 8;
  my %words = map { ("word $_" => 1) } 1 .. 20000;
  print "perl: done, ", scalar(keys %words), " words\n";'

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

say "quickstart: C to eBPF"
show clang-19 -g -O2 -target bpf -mcpu=v3 "-D__TARGET_ARCH_$flavour" -I examples \
  -I "/usr/include/$(uname -m)-linux-gnu" -c examples/malloc_sizes.bpf.c -o "$folder/malloc_sizes.bpf.o"
say "quickstart: eBPF to native code, verified"
show "$BUILD/bin/bpf-aotc" "$folder/malloc_sizes.bpf.o" -o "$folder/malloc_sizes.so"
say "quickstart: perl, with every malloc observed"
show "$BUILD/bin/bpf-aot" run "$folder/malloc_sizes.so" -- /usr/bin/perl -e "$program"

echo
say "next: build/bin/bpf-aot attach build/quickstart/malloc_sizes.so -p PID puts the same probe into a process that already runs; see README.md"
