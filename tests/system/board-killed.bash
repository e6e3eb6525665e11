# SPDX-License-Identifier: MIT
# Sourced with a machine: a static musl program with little room behind its code is attached to and left by
# loaders that are killed before one of their system calls, again and again. It lives and its results are
# right, so what borrowed its thread found back by itself.
. "$(dirname "${BASH_SOURCE[0]}")/board.bash" "$1"
bpf_object count
aotc -t "$board_machine" "$tmp/count.bpf.o" -o "$tmp/board/board/count.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
"$board_cc" -O1 -static "$source_dir/tests/loader/killer.c" -o "$tmp/board/board/killer" || fail "the harness does not compile"

# Bytes between the end of the code and the end of its page.
room() {
  local type offset address physical size rest
  readelf -lW "$1" | while read -r type offset address physical size rest; do
    [[ $type != LOAD || $rest != *"R E"* ]] || echo $((-(address + size) & 4095))
  done
}
kRoom=640
build() { # BYTES of code that is never run
  { echo "__asm__(\".pushsection .text\\n .skip $1\\n .popsection\");"; cat "$system_dir/victims/service.c"; } >"$tmp/service.c"
  board_musl_cc static "$tmp/service.c" "$tmp/board/board/service" || fail "the program does not compile"
}
build 4
have=$(room "$tmp/board/board/service")
build $(((have - kRoom + 4096) % 4096 / 4 * 4 + 4))
expect_between "bytes behind the code" "$(room "$tmp/board/board/service")" $((kRoom - 16)) $((kRoom + 16))

cat >"$tmp/board/board/run" <<'END'
export PATH=/bin
mkfifo /tmp/in /tmp/out
/board/service 2 </tmp/in >/tmp/out &
service=$!
exec 3>/tmp/in 4</tmp/out
read -r line <&4
ask() {
  echo "$*" >&3
  read -r -t 60 reply <&4 || { echo "no answer to '$*' $how"; exit 1; }
}
ask bytes
before=$reply
ask spin
what="--attach on_entry=uprobe:/board/service:work --attach on_return=uretprobe:/board/service:work"
kills=0
step=19
n=$((1 + $(date +%s) % step))
while :; do
  /board/killer $n /bin/bpf-aot attach -p $service -o /tmp/out.txt $what /board/count.so >/tmp/how 2>/tmp/err </dev/null
  read -r ended where call </tmp/how
  how="after $ended $where $call"
  ask call 10
  [ "$reply" = "sum 55" ] || echo "wrong result $how: $reply"
  [ "$ended" = killed ] || break
  kills=$((kills + 1)); echo "$how $(cat /proc/uptime)"
  n=$((n + step))
  [ $((kills % 2)) = 0 ] || for id in $(bpf-aot list | grep -oE '^[0-9]+'); do bpf-aot detach $id >/dev/null 2>&1; done
done
echo "the last one: $ended"
[ $kills -ge 6 ] && echo "killed often enough" || echo "killed $kills times"
for id in $(bpf-aot list | grep -oE '^[0-9]+'); do bpf-aot detach $id 2>&1; done
ask stop
echo "wrong ${reply##* }"
ask bytes
[ "$reply" = "$before" ] && echo "the code is as before"
exec 3>&-
wait $service
echo "status $?"
END
board_boot "$tmp/board" 130 >"$tmp/board.txt"
expect "status of the board" $? 0
for line in "the last one: reached" "killed often enough" "wrong 0" "the code is as before" "status 0"; do
  grep -qxF "$line" "$tmp/board.txt" || { cat "$tmp/board.txt"; fail "the board does not say '$line'"; }
done
expect_no_line "results" "$tmp/board.txt" "wrong result"
