#!/bin/bash
# SPDX-License-Identifier: MIT
# The command forms that are relied on from outside: they stay as they are.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] && [ -x "$AOT" ] || skip_all "the tools are not built"
cd "$SCRATCH" || exit 1
case $(uname -m) in x86_64) other=aarch64 ;; *) other=x86_64 ;; esac
perl='my @t = map { [ (0) x ($_ * 10000) ] } 1 .. 8; print "done\n"'

# With the flags exactly as they are given in the issue and in examples/README.md.
if ! (cd "$SOURCE" && clang-19 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I examples \
  -I /usr/include/x86_64-linux-gnu -c examples/malloc_sizes.bpf.c -o "$SCRATCH/probe.bpf.o"); then
  fail example_compiles "clang failed"
  finish
fi
pass example_compiles

check default_output_is_the_stem "$AOTC" probe.bpf.o
check default_output_exists test -s probe.so
mv probe.so default.so
for arch in x86_64 aarch64 riscv64; do
  check "object_for_x86_compiles_for_$arch" "$AOTC" probe.bpf.o -t "$arch" -o "probe-$arch.so"
done
check options_may_follow_or_precede "$AOTC" -o probe.so -t "$(uname -m)" probe.bpf.o
check default_target_is_the_host cmp default.so probe.so

"$AOTC" --verify-only --json probe.bpf.o >verify.json 2>verify.err
check verify_only_exits_0_when_all_are_accepted test $? -eq 0
check verify_only_reports_every_program python3 -c '
import json
report = json.load(open("verify.json"))
assert [p["name"] for p in report["programs"]] == ["on_malloc"], report
p = report["programs"][0]
assert p["verdict"] == "accept" and p["section"] == "uprobe/libc.so.6:malloc", p
assert {"section", "name", "verdict", "code", "message", "file", "line", "insn"} <= set(p), p'

# What is observed goes to stdout with the command's own output, which is untouched.
"$AOT" run probe.so -- /usr/bin/perl -e "$perl" >run.out 2>run.err
check run_returns_the_status_of_the_command test $? -eq 0
check command_output_is_untouched grep -qx done run.out
check events_have_a_field_size grep -qE 'size=[0-9]+' run.out
check eight_events test "$(grep -cE 'size=[0-9]+' run.out)" -eq 8
check histogram_is_drawn_with_at_signs grep -qE '\|@+ *\|' run.out
check map_is_named_at_exit grep -qE '^@sizes\[[0-9]+' run.out

"$AOT" run probe.so -o observed.txt -- /usr/bin/perl -e "$perl" >command.out 2>command.err
check with_o_stdout_is_the_commands_alone diff command.out <(echo done)
check with_o_stderr_is_the_commands_alone test ! -s command.err
check with_o_the_file_has_the_events test "$(grep -cE 'size=[0-9]+' observed.txt)" -eq 8

"$AOT" run --json -o observed.json probe.so -- /usr/bin/perl -e "$perl" >/dev/null 2>run.err
check json_is_one_object_per_line python3 -c '
import json
lines = [json.loads(line) for line in open("observed.json")]
def find(value):
    if isinstance(value, dict):
        if {"pid", "tid", "size", "comm"} <= set(value): yield value
        for v in value.values(): yield from find(v)
events = [e for line in lines for e in find(line)]
assert len(events) == 8, (len(events), lines[:3])
assert all(e["comm"] == "perl" and e["size"] > 65536 for e in events), events[0]'

"$AOT" run probe.so -- /bin/sh -c 'exit 7' >run.out 2>&1
check exit_status_is_the_commands_own test $? -eq 7
"$AOT" run --attach on_malloc=uprobe:libc.so.6:calloc probe.so -o observed.txt -- /usr/bin/perl -e 1 >run.out 2>&1
check attach_overrides_the_section test $? -eq 0
check attach_accepts_an_offset "$AOT" run probe.so --attach on_malloc=uprobe:libc.so.6:malloc+0 \
  -o observed.txt -- /usr/bin/perl -e 1

# test-run: the first run's value, data and maps kept between runs.
cat >buffer.bpf.c <<'X'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } runs SEC(".maps");
struct input { __u64 a, b; };
SEC("syscall") int add(struct input *in) {
  __u32 key = 0;
  __u64 *count = bpf_map_lookup_elem(&runs, &key);
  if (!count) return -1;
  *count += 1;
  in->a += 1;
  return in->a + in->b + *count;
}
char LICENSE[] SEC("license") = "GPL";
X
printf '\050\0\0\0\0\0\0\0\001\0\0\0\0\0\0\0' >data.in
if compile_bpf buffer.bpf.c buffer.bpf.o 2>log && "$AOTC" buffer.bpf.o -o buffer.so 2>log; then
  check test_run_reports_the_first_value bash -c '
    "$1" test-run buffer.so --program add --data-in data.in --repeat 3 --json >result.json &&
    python3 -c "
import json
r = json.load(open(\"result.json\"))
assert r[\"retval\"] == 43 and r[\"repeat\"] == 3 and \"ns_per_run\" in r, r"' - "$AOT"
  if "$AOTC" buffer.bpf.o -t "$other" -o buffer-other.so 2>log && command -v "qemu-$other" >/dev/null; then
    check test_run_of_another_machine bash -c '
      "$1" test-run buffer-other.so --program add --data-in data.in --repeat 1 --json >result.json &&
      python3 -c "
import json
r = json.load(open(\"result.json\"))
assert r[\"retval\"] == 43, r"' - "$AOT"
  else
    skip test_run_of_another_machine "no qemu-$other"
  fi
else
  fail test_run_reports_the_first_value "$(cat log)"
fi
finish
