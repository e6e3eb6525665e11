#!/bin/bash
# SPDX-License-Identifier: MIT
# Native code leads back to the source lines of the eBPF program: addr2line on images of every
# machine, a breakpoint and a backtrace of gdb in a probe that runs, samples of perf in one. Debug
# information is not loaded, and without it the code is the same.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] && [ -x "$AOT" ] || skip_all "the tools are not built"
here=$SOURCE/tests/e2e
cd "$SCRATCH" || exit 1
compile_bpf "$here/debug_lines.bpf.c" work.bpf.o || skip_all "clang-19 does not compile"
line() { grep -n "line: $1" "$here/debug_lines.bpf.c" | cut -d: -f1; }

for arch in x86_64 aarch64 riscv64; do
  "$AOTC" work.bpf.o -t $arch -o $arch.so
  "$AOTC" work.bpf.o -t $arch -g0 -o $arch-g0.so
  entry=$(nm $arch.so | awk '$3 == "entry.on_work" { print $1 }')
  # The outermost of what is inlined at the symbol is the entry of the program.
  addr2line -fi -e $arch.so "$entry" | tail -n 2 >place
  check "addr2line_names_the_function_$arch" grep -qx entry.on_work place
  check "addr2line_names_the_line_$arch" grep -qE "debug_lines\.bpf\.c:$(line begin)( |$)" place
  size=$(nm -S $arch.so | awk '$4 == "entry.on_work" { print $2 }')
  for ((at = 0; at < 0x$size; at += 2)); do printf '%x\n' $((0x$entry + at)); done >addresses
  addr2line -fi -e $arch.so <addresses >places
  check "addr2line_finds_inlined_lines_$arch" grep -qE "debug_lines\.bpf\.c:$(line multiply)( |$)" places
  check "addr2line_finds_inlined_functions_$arch" grep -qx mix places
  # What is loaded is the same with and without: names and lines cost a process nothing.
  check "loaded_size_is_the_same_$arch" diff <(readelf -lW $arch.so | awk '$1 == "LOAD" { print $3, $5, $6 }') \
    <(readelf -lW $arch-g0.so | awk '$1 == "LOAD" { print $3, $5, $6 }')
  for so in $arch $arch-g0; do
    readelf -x .text $so.so | sed 1,2d >$so.text
  done
  check "code_is_there_$arch" grep -q 0x $arch.text
  check "code_is_the_same_$arch" cmp $arch.text $arch-g0.text
  complain_if "g0_has_no_debug_information_$arch" "$(readelf -SW $arch-g0.so | grep -E '\.debug|symtab')"
done
check text_stages_are_readable bash -c '! grep -q "!dbg" <("$1" work.bpf.o --emit=llvm-ir=-)' - "$AOTC"
check text_stages_have_lines_when_asked grep -q '!dbg' <("$AOTC" work.bpf.o -g --emit=llvm-ir=-)

# Facts stand beside the source.
"$AOTC" work.bpf.o --emit=facts=facts
check facts_have_source_lines grep -qE "^  ; debug_lines\.bpf\.c:$(line store): " facts
check facts_name_maps_and_offsets grep -qE 'r0=value\(sums\)\+24 or null align 8|r0=value\(sums\)\+0 or null align 8' facts
check facts_have_ranges grep -qE 'r[0-9]=1\.\.64' facts

cat >victim.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline)) int work(int n) { __asm__ volatile("" ::: "memory"); return n * 3 + 1; }
int main(int argc, char **argv) {
  volatile int sum = 0;
  for (long i = 0, n = atol(argv[1]); i < n; i++) {
    sum += work((int)i);
    if (argc > 2) usleep(2000);
  }
  return 0;
}
END
gcc -g -O1 victim.c -o victim || skip_all "gcc does not compile"
"$AOTC" work.bpf.o -o work.so

if command -v gdb >/dev/null; then
  "$AOT" run --attach on_work=uprobe:./victim:work work.so -- ./victim 30000 slowly >run.out 2>&1 &
  runner=$!
  base=
  for _ in $(seq 200); do # until the image is in
    child=$(pgrep -P $runner -x victim | head -1)
    [ -z "$child" ] || base=$(awk '/memfd:bpfaot-image/ { split($1, a, "-"); print a[1]; exit }' "/proc/$child/maps" 2>/dev/null)
    [ -z "$base" ] || break
    sleep 0.05
  done
  timeout 100 gdb -q -batch -nx -p "$child" -ex "add-symbol-file work.so -o 0x$base" \
    -ex "break debug_lines.bpf.c:$(line multiply)" -ex continue -ex bt -ex delete -ex detach >gdb.out 2>&1
  if grep -q 'ptrace: Operation not permitted' gdb.out; then
    skip gdb "this user may not trace"
  else
    check gdb_stops_at_the_line grep -qE "^Breakpoint 1, .*debug_lines\.bpf\.c:$(line multiply)" gdb.out
    check gdb_names_the_program grep -qE "^#[0-9]+ .*on_work .*debug_lines\.bpf\.c:$(line store)" gdb.out
  fi
  kill -INT "$child" 2>/dev/null
  wait $runner
else
  skip gdb "not installed"
fi

if command -v perf >/dev/null && perf record -q -e cpu-clock -o test.data true >/dev/null 2>&1; then
  export HOME=$SCRATCH # of its cache of files by build-id: the image is mapped from memory
  perf buildid-cache -a work.so
  perf record -q -e cpu-clock -F 1000 --buildid-mmap -o perf.data \
    "$AOT" run --attach on_work=uprobe:./victim:work work.so -- ./victim 2000000 >run.out 2>&1
  perf script -i perf.data -F ip,sym,srcline >perf.out 2>&1
  check perf_names_the_program grep -q 'entry.on_work' perf.out
  check perf_names_the_line grep -qE "debug_lines\.bpf\.c:[0-9]+" perf.out
else
  skip perf "not installed, or the kernel lets this user record nothing"
fi
finish
