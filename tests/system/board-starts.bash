# SPDX-License-Identifier: MIT
# Sourced with a machine: its kernel starts the static bpf-aot as an ordinary user; an image that was
# compiled here says what it holds, and a program of it runs. The stub that makes system calls in
# another process does so under this kernel's ptrace, whether the tracer lives on or not.
. "$(dirname "${BASH_SOURCE[0]}")/board.bash" "$1"
bpf_object testrun
aotc -t "$board_machine" "$tmp/testrun.bpf.o" -o "$tmp/board/board/testrun.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
printf '\005\000\000\000\011\000\000\000' >"$tmp/board/board/data"
need "$board_machine-linux-gnu-g++"
"$board_machine-linux-gnu-g++" -std=c++20 -O2 -static -fno-exceptions -fno-rtti -I "$source_dir" -I "$source_dir/include" \
  "$source_dir/tests/board/stub.cpp" "$source_dir/targets/$board_machine/remote.cpp" -o "$tmp/board/board/stub" || fail "the stub's test does not compile"
cat >"$tmp/board/board/run" <<'END'
echo "machine $(uname -m) user $(id -u)"
bpf-aot info /board/testrun.so
bpf-aot test-run /board/testrun.so --program adds --data-in /board/data --repeat 100 --json
/board/stub 1000000 4
END
board_boot "$tmp/board" 130 >"$tmp/board.txt"
expect "status of the board" $? 0
expect_line "machine and user" "$tmp/board.txt" "^machine $board_machine user 1000\$"
expect_line "the image's programs" "$tmp/board.txt" adds
expect_line "the program's result" "$tmp/board.txt" '"retval":14[,}]'
expect_line "the stub" "$tmp/board.txt" "^stub: 52 borrowings, the target lives"
