# SPDX-License-Identifier: MIT
# Sourced by preload-alone-ARCH.test with `machine` set: probes in dynamic programs of another machine under
# qemu-user, which cannot trace but can preload. bpf-aot of this machine reads the counts.
. "$(dirname "$0")/lib.bash"
need jq qemu-$machine $machine-linux-gnu-gcc
library=$build_dir/lib/bpf-aot/$machine/libbpfaot-preload.so
[ -f "$library" ] || skip "no libbpfaot-preload.so for $machine is built"
[ "$(id -u)" = 0 ] || skip "only root may open what another process has mapped"
bpf_object count
aotc -t $machine "$tmp/count.bpf.o" -o "$tmp/count.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc -t $machine: status $?"

# emulated PROGRAM ARGS…: with the library and `attach` inside the emulator
emulated() {
  exec qemu-$machine -L /usr/$machine-linux-gnu -E LD_PRELOAD="$library" -E BPFAOT_PRELOAD_IMAGE="$tmp/count.so" \
    -E BPFAOT_PRELOAD_ATTACH="$attach" "$@"
}

for form in -pie -no-pie; do
  victim service.c $machine-linux-gnu-gcc -pthread $form
  S=$tmp/service
  attach="on_entry=uprobe:$S:work
on_return=uretprobe:$S:work
on_entry_too=uprobe:libc.so.6:fgets
on_return=uretprobe:libc.so.6:fgets"
  coproc SERVICE { emulated "$S" 2 2>"$tmp/alone.err"; }
  service_pid=$SERVICE_PID
  children+=("$service_pid")
  read -r -t 60 line <&"${SERVICE[0]}" || fail "the victim does not start ($form)"
  expect "it says nothing ($form)" "$(cat "$tmp/alone.err")" ""
  ask call 500
  expect "answer ($form)" "$reply" "sum 125250"
  id=$(attachment_of "$service_pid")
  [ -n "$id" ] || fail "bpf-aot list does not show it ($form)"
  aot map dump "$id" counts >"$tmp/dump.txt" 2>"$tmp/dump.err" || fail "map dump ($form): status $?"
  expect "entries ($form)" "$(map_value "$tmp/dump.txt" counts 0)" 500
  expect "entries of the C library's function ($form)" "$(map_value "$tmp/dump.txt" counts 4)" 2
  expect "returns of both ($form)" "$(map_value "$tmp/dump.txt" counts 1)" 501
  ask spin
  sleep 0.5
  ask stop # its threads have counted each of their calls
  spun=${reply#spun }
  expect "threads see no wrong result ($form)" "${spun#* wrong }" 0
  aot map dump "$id" counts >"$tmp/dump.txt" 2>"$tmp/dump.err"
  expect "entries of threads ($form)" "$(map_value "$tmp/dump.txt" counts 0)" $((500 + ${spun%% *}))
  expect "returns of threads ($form)" "$(map_value "$tmp/dump.txt" counts 1)" $((503 + ${spun%% *}))
  kill -9 "$service_pid"
  wait "$service_pid" 2>/dev/null || true
done
