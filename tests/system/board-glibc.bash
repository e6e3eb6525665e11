# SPDX-License-Identifier: MIT
# Sourced with a machine: glibc programs under its kernel. A dynamic program with busy threads is attached
# to and left several times, and the loader is killed, also while it attaches; exact counts where the calls are between
# attaching and detaching. Exceptions and longjmp pass return probes from the program's start. A call that
# is active when its probe is taken out can still be left by an exception, and by the end of its thread; until
# then the process takes no further return probes.
. "$(dirname "${BASH_SOURCE[0]}")/board.bash" "$1"
gxx=$board_machine-linux-gnu-g++ gcc=$board_machine-linux-gnu-gcc
need "$gxx"
bpf_object count
aotc -t "$board_machine" "$tmp/count.bpf.o" -o "$tmp/board/board/count.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
victim service.c "$gcc" -pthread -O0 # a function needs 8 bytes on riscv64
victim throws.cpp "$gxx" -static-libstdc++
timeout 60 "$gxx" -O1 -static-libstdc++ -pthread "$source_dir/tests/loader/inflight.cpp" -o "$tmp/inflight" || fail "inflight.cpp"
victim longjmp.c "$gcc" -U_FORTIFY_SOURCE
cp "$tmp"/{service,throws,longjmp,inflight} "$tmp/board/board/"
for library in libc.so.6 libm.so.6 libgcc_s.so.1 ld-linux-aarch64.so.1 ld-linux-riscv64-lp64d.so.1; do
  [ ! -e "/usr/$board_machine-linux-gnu/lib/$library" ] || cp "/usr/$board_machine-linux-gnu/lib/$library" "$tmp/board/lib/"
done
cat >"$tmp/board/board/run" <<'END'
export PATH=/bin
probes() { echo "--attach on_entry=uprobe:$1 --attach on_return=uretprobe:$1"; }
value() { sed -n "s/^@counts\[$1\]: //p" "$2"; }

bpf-aot run -o /tmp/throws.txt $(probes /board/throws:through) /board/count.so -- /board/throws 200
echo "throws: status $? entries $(value 0 /tmp/throws.txt) returns $(value 1 /tmp/throws.txt)"
bpf-aot run -o /tmp/jumps.txt $(probes /board/longjmp:outer) /board/count.so -- /board/longjmp 200
echo "longjmp: status $? entries $(value 0 /tmp/jumps.txt) returns $(value 1 /tmp/jumps.txt)"

mkfifo /tmp/in /tmp/out
/board/service 3 </tmp/in >/tmp/out &
service=$!
exec 3>/tmp/in 4</tmp/out
read -r line <&4
ask() {
  echo "$*" >&3
  read -r -t 60 reply <&4 || echo "no answer to '$*'"
}
attach() {
  : >/tmp/attach.err
  [ $# != 0 ] || set -- on_entry=uprobe:/board/service:work --attach on_return=uretprobe:/board/service:work
  bpf-aot attach -p $service -o /tmp/attach.txt --attach "$@" /board/count.so 2>/tmp/attach.err &
  loader=$!
  until grep -q '^attached' /tmp/attach.err; do
    kill -0 $loader 2>/dev/null || { cat /tmp/attach.err; return 1; }
    sleep 0.1
  done
  id=$(sed -nE 's/.* as id ([0-9]+).*/\1/p' /tmp/attach.err)
}
detach() {
  bpf-aot detach $id >/tmp/detach.out || cat /tmp/detach.out
  wait $loader
}
ask bytes
before=$reply
attach
ask spin
sleep 0.3
ask stop
spun=$reply
detach
calls=${spun#spun } calls=${calls%% *}
[ "$(value 0 /tmp/attach.txt)" = "$calls" ] && [ "$(value 1 /tmp/attach.txt)" = "$calls" ] && [ "$calls" -gt 1000 ] && echo "busy: exact"
echo "busy: ${spun#* wrong}"
ask spin
for cycle in 1 2 3 4 5; do
  attach && detach && echo "cycle: $cycle, counted $([ "$(value 0 /tmp/attach.txt)" -gt 0 ] && echo some)"
done
for n in 1 2 3 4 5 6 7 8; do # somewhere on the way
  bpf-aot attach -p $service -o /tmp/attach.txt $(probes /board/service:work) /board/count.so 2>/tmp/attach.err &
  loader=$!
  usleep $((n * 50000))
  kill -9 $loader
  wait $loader
  for id in $(bpf-aot list | grep -oE '^ *[0-9]+'); do bpf-aot detach $id; done
done
attach && detach && echo "killed on the way: attached and detached"
attach && kill -9 $loader
wait $loader
bpf-aot detach $id >/dev/null
echo "killed: detached with status $?"
ask stop
echo "after: wrong ${reply#* wrong }"
ask call 100
echo "after: $reply"
ask bytes
[ "$reply" = "$before" ] && echo "after: the code is as before"
exec 3>&-
wait $service
echo "after: status $?"

tell() {
  echo "$1" >&5
  read -r -t 60 reply <&6 || echo "no answer to '$1'"
}
leave() { # the call inside stays as it is
  case $1 in
    detach) bpf-aot detach $id 2>/tmp/detach.err || cat /tmp/detach.err; wait $loader ;;
    killed) kill -9 $loader; wait $loader; bpf-aot detach $id 2>/tmp/detach.err || cat /tmp/detach.err ;;
  esac
  listed="$(bpf-aot list | grep -c guards) $(grep -c '^note' /tmp/detach.err)"
}
mkfifo /tmp/to /tmp/from
for end in detach killed; do
  /board/inflight </tmp/to >/tmp/from &
  service=$!
  exec 5>/tmp/to 6</tmp/from
  read -r -t 60 line <&6
  attach on_return=uretprobe:/board/inflight:wait_inside
  tell return # this call began before
  read -r -t 60 line <&6
  leave $end
  said="$listed $(bpf-aot attach -p $service --attach on_return=uretprobe:/board/inflight:wait_inside /board/count.so 2>&1 | grep -o attach-unwind | head -n 1)"
  tell throw
  said="$said, $reply"
  read -r -t 60 line <&6
  bpf-aot detach $id 2>/dev/null || echo "cannot detach $id again"
  said="$said, left $(bpf-aot list | wc -l)"
  attach on_return=uretprobe:/board/inflight:wait_inside
  tell quit
  read -r -t 60 line <&6 # in the second thread now
  leave $end
  said="$said, $listed"
  tell exit
  wait $service
  echo "inflight, $end: $said, $reply, status $?"
  exec 5>&- 6<&-
done
END
board_boot "$tmp/board" 130 >"$tmp/board.txt"
expect "status of the board" $? 0
started=("caught 100 returned 100" "throws: status 0 entries 200 returns 100" "jumped 100 returned 100"
  "longjmp: status 0 entries 200 returns 100")
for line in "${started[@]}" "busy: exact" "busy:  0" "cycle: 5, counted some" \
  "killed on the way: attached and detached" "killed: detached with status 0" "after: wrong 0" "after: sum 5050" "after: the code is as before" "after: status 0" \
  "inflight, detach: 1 1 attach-unwind, caught thrown, left 0, 1 1, joined, status 0" \
  "inflight, killed: 1 1 attach-unwind, caught thrown, left 0, 1 1, joined, status 0"; do
  grep -qxF "$line" "$tmp/board.txt" || { cat "$tmp/board.txt"; fail "the board does not say '$line'"; }
done
