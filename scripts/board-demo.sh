#!/bin/bash
# SPDX-License-Identifier: MIT
# board-demo.sh [aarch64|riscv64]: a small board of that machine, booted in qemu, that holds nothing
# but a static bpf-aot, a probe compiled here, a musl program and busybox. As an ordinary user it runs
# the program with probes, then attaches to one that already runs and detaches again. The first run
# fetches Debian's packages of that machine into build/board. Exit status: 0 when all was as expected,
# 77 when a board cannot be made here.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$REPO/scripts/board/lib.sh"

board_use "${1:-aarch64}"
loader=$BUILD/lib/bpf-aot/$board_machine/bpf-aot
board_need "${board_qemu[0]}" "$board_cc" ld.lld-19 clang-19 cpio gzip
[ -x "$BUILD/bin/bpf-aotc" ] || die "needs $BUILD/bin/bpf-aotc: scripts/build.sh"
[ -x "$loader" ] || board_lack "there is no $loader: BPFAOT_CROSS_LOADERS is off"
board_fetch

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/files
board_files "$root"
# The object is built with the registers of x86, as everywhere; bpf-aotc maps them by meaning.
say "board: compiling the probe for $board_machine, the program with musl"
clang-19 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I "$REPO/examples" \
  -I "/usr/include/$(uname -m)-linux-gnu" -c "$REPO/examples/sensor.bpf.c" -o "$work/sensor.bpf.o"
"$BUILD/bin/bpf-aotc" -t "$board_machine" "$work/sensor.bpf.o" -o "$root/board/sensor.so"
for form in static dynamic; do board_musl_cc $form "$REPO/examples/sensor.c" "$root/board/sensor-$form"; done
cp "$REPO/scripts/board/demo" "$root/board/run"

say "board: $board_machine boots"
mkfifo "$work/pipe"
grep --line-buffered -v '^fact: ' <"$work/pipe" &
shown=$!
status=0
board_boot "$root" 130 >"$work/pipe" || status=$?
cp "$root.console" "$board/console"
wait $shown || true
[ $status = 0 ] || die "the board ended with status $status"

# What must have been seen, word for word. 250 readings of four channels, one in 200 over the limit.
missing=0
expect() {
  grep -qxF "$1" "$work/facts" || { echo "missing: $1" && missing=$((missing + 1)); }
}
sed -n 's/^fact: //p' "$root.console" >"$work/facts"
for form in static dynamic; do
  expect "run-$form @channels[0]: {readings=88, highest=396}"
  expect "run-$form @channels[3]: {readings=87, highest=429}"
  expect "run-$form 2 alarms of channel 3, value 429"
  expect "run-$form 100 readings, sum 31450"
  expect "run-$form 250 readings, sum 78555"
  expect "run-$form status 7"
  expect "attach-$form @channels[0]: {readings=63, highest=396}"
  expect "attach-$form @channels[1]: {readings=63, highest=407}"
  expect "attach-$form @channels[2]: {readings=62, highest=418}"
  expect "attach-$form @channels[3]: {readings=62, highest=429}"
  expect "attach-$form status 0"
  expect "target-$form 100 readings, sum 31450"
  expect "target-$form 250 readings, sum 78555"
  expect "target-$form sensor ends after 400 readings"
  expect "target-$form status 7"
done
[ $missing = 0 ] || die "$missing of the expected lines are missing; $board/console has all"
echo
say "board: $board_machine: all counts, events and exit statuses are right"
