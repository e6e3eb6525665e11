# SPDX-License-Identifier: MIT
# A board of another machine, in qemu: a real kernel, the static bpf-aot, no library. Sourced with the
# machine; leaves "board_machine" and its like set, or skips with the reason.
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
BPFAOT_BUILD=$build_dir
. "$source_dir/scripts/lib.sh"
. "$source_dir/scripts/board/lib.sh"
set +e
say() { :; }
board_use "$1"
need "${board_qemu[0]}" "$board_cc" cpio gzip
[ -x "$build_dir/lib/bpf-aot/$board_machine/bpf-aot" ] || skip "there is no bpf-aot for $board_machine: BPFAOT_CROSS_LOADERS is off"
BPFAOT_FETCH_SECONDS=80 board_fetch
mkdir "$tmp/board"
board_files "$tmp/board"
