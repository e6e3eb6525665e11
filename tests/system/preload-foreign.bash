# SPDX-License-Identifier: MIT
# The body of preload-aarch64.test and preload-riscv64.test: $machine, and $flags for its compiler (on
# riscv64 short functions are wanted, whose jumps go into a gap). The bpf-aot of that machine and a
# dynamic program of it, both under qemu-user, which has no ptrace.
foreign=$build_dir/lib/bpf-aot/$machine
compiler=$machine-linux-gnu-gcc
need "qemu-$machine" "$compiler"
[ -x "$foreign/bpf-aot" ] && [ -f "$foreign/libbpfaot-preload.so" ] || skip "no bpf-aot for $machine is built"
export QEMU_LD_PREFIX=/usr/$machine-linux-gnu
[ -d "$QEMU_LD_PREFIX" ] || skip "no C library of $machine"

foreign_probe() {
  bpf_object "$1"
  aotc -t "$machine" "$tmp/$1.bpf.o" -o "$tmp/$1.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc refuses $1 (status $?)"
}
preloaded_ok() { traced "$1" --preload "${@:2}" || fail "bpf-aot run --preload ${*:2}: status $?"; }

# Entry and return probes at a function, exactly, and of a function in a library.
foreign_probe count
victim work.c "$compiler" $flags
preloaded_ok both --attach "on_entry=uprobe:$tmp/work:work" --attach "on_return=uretprobe:$tmp/work:work" \
  "$tmp/count.so" -- "$tmp/work" 1000
expect "the command's output" "$(cat "$tmp/both.out")" 500500
expect "messages" "$(cat "$tmp/both.err")" ""
expect "entries" "$(map_value "$tmp/both.txt" counts 0)" 1000
expect "returns" "$(map_value "$tmp/both.txt" counts 1)" 1000
expect "sum of arguments" "$(map_value "$tmp/both.txt" counts 2)" 499500
expect "sum of returned values" "$(map_value "$tmp/both.txt" counts 3)" 500500
preloaded_ok entry --attach "on_entry=uprobe:$tmp/work:work" "$tmp/count.so" -- "$tmp/work" 77
expect "entries alone" "$(map_value "$tmp/entry.txt" counts 0)" 77
expect "returns not asked for" "$(map_value "$tmp/entry.txt" counts 1)" 0
preloaded_ok return --attach "on_return=uretprobe:$tmp/work:work" "$tmp/count.so" -- "$tmp/work" 78
expect "returns alone" "$(map_value "$tmp/return.txt" counts 1)" 78
victim env.c "$compiler"
preloaded_ok libc --attach "on_entry=uprobe:libc:getenv" "$tmp/count.so" -- "$tmp/env" 50
expect_between "calls of getenv" "$(map_value "$tmp/libc.txt" counts 0)" 50 70

# Ring buffer and hash map, with threads.
foreign_probe threads
victim threads.c "$compiler" -pthread $flags
preloaded_ok threads --attach "on_entry=uprobe:$tmp/threads:work" --attach "on_return=uretprobe:$tmp/threads:work" \
  "$tmp/threads.so" -- "$tmp/threads" 4 2000
O=$tmp/threads.txt
expect "array" "$(map_value "$O" total 0)" 8000
expect "returns in threads" "$(map_value "$O" total 1)" 8000
for k in 0 1 2 3 4 5 6 7; do expect "hash[$k]" "$(map_value "$O" by_residue $k)" 1000; done
printed=$(grep -cE '(^| )sequence=[0-9]+' "$O")
expect "records printed and dropped" $((printed + $(map_value "$O" total 2))) 500
expect "distinct records" "$(grep -oE '(^| )sequence=[0-9]+' "$O" | sort -u | wc -l)" "$printed"

# Refusals come back from there.
traced refused --preload --attach "on_entry=uprobe:$tmp/work:nothing" "$tmp/count.so" -- "$tmp/work" 10
expect "status when there is no such function" $? 1
expect_line "why" "$tmp/refused.err" '\[symbol-not-found\]'
expect "the command does not run" "$(cat "$tmp/refused.out")" ""
