#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One run, one table: what probes cost beside the plain call and the kernel's probes, starting a
# command with them, attaching to a busy process, memory, sizes, compile time by stage.
# usage: bench/run.sh [BUILD_DIR] [--json] [--only probes,start,attach,sizes,compile]
# The table goes to standard output and, as text and JSON, to BUILD_DIR/bench/. Exit 1 when something
# cannot be measured or a probe was not hit as often as called; a missed bar is no failure.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build only=probes,start,attach,sizes,compile form=text
while [ $# -gt 0 ]; do
  case $1 in
  --json) form=json ;;
  --only) only=$2; shift ;;
  -h | --help) sed -n '3,8s/^# //p' "$0"; exit 0 ;;
  *) build=$(cd "$1" && pwd) ;;
  esac
  shift
done
if [ "$(uname -m)" != x86_64 ]; then
  echo "the functions that are measured are those of x86_64" >&2
  exit 1
fi
out=$build/bench
loader=$build/bin/bpf-aot compiler=$build/bin/bpf-aotc
rm -rf "$out/run"
mkdir -p "$out/run" && cd "$out/run"
wanted() { case ,$only, in *,$1,*) return 0 ;; *) return 1 ;; esac; }

object() { # FILE.bpf.c: to FILE.bpf.o and FILE.so here
  local name
  name=$(basename "$1" .bpf.c)
  clang-19 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I "$root/examples" -I /usr/include/x86_64-linux-gnu \
    -c "$1" -o "$name.bpf.o"
  "$compiler" "$name.bpf.o" -o "$name.so"
}
tool() { gcc -O2 -fcf-protection=none -o "$1" "$root/bench/$1.c" "${@:2}"; }
for source in "$root"/examples/*.bpf.c "$root/bench/price.bpf.c"; do
  object "$source"
done

# With the kernel when it lets us load programs; its column says why when it is absent.
tool kernel_run -lbpf
kernel=yes
./kernel_run malloc_sizes.bpf.o /bin/true 2> kernel-absent || kernel=no
[ $kernel = yes ] && rm kernel-absent

if wanted probes; then
  tool price -lbpf
  points=()
  for shape in push nop5 endbr64; do
    points+=(--attach "entry_$shape=uprobe:$PWD/price:ours_entry_$shape")
    points+=(--attach "return_$shape=uretprobe:$PWD/price:ours_return_$shape")
    points+=(--attach "both_entry_$shape=uprobe:$PWD/price:ours_both_$shape")
    points+=(--attach "both_return_$shape=uretprobe:$PWD/price:ours_both_$shape")
    points+=(--attach "event_$shape=uprobe:$PWD/price:ours_event_$shape")
  done
  object_for_kernel=-
  [ $kernel = yes ] && object_for_kernel=price.bpf.o
  "$loader" run -o observed "${points[@]}" price.so -- ./price $object_for_kernel > price.txt
  grep -v '^a=' observed > observed.txt || true
  for shape in 0 1 2; do
    echo "events $shape $(grep -c "^a=$shape " observed || true)" >> observed.txt
  done
  rm observed
fi

if wanted start; then
  tool start
  commands=(true /bin/true + run "$loader" run malloc_sizes.so -- /bin/true)
  if "$loader" run --preload malloc_sizes.so -- /bin/true > /dev/null 2> preload-absent; then
    rm preload-absent
    commands+=(+ preload "$loader" run --preload malloc_sizes.so -- /bin/true)
  fi
  [ $kernel = yes ] && commands+=(+ kernel ./kernel_run malloc_sizes.bpf.o /bin/true)
  ./start 60 "${commands[@]}" > start.txt
fi

if wanted attach; then
  tool attach -pthread
  for threads in 1 8; do
    ./attach 20 price.so "$PWD/attach" "$loader" $threads > "attach-$threads.txt"
  done
fi

if wanted sizes; then
  for source in "$root"/examples/*.bpf.c; do
    name=$(basename "$source" .bpf.c)
    # Debug information is not loaded; the bar is about what is.
    "$compiler" -g0 "$name.bpf.o" -o small.so && echo "$name.so $(stat -L -c %s small.so)"
    echo "$name.so,-with-source-lines $(stat -L -c %s "$name.so")"
  done > sizes.txt
  echo "bpf-aot $(stat -L -c %s "$loader")" >> sizes.txt
  strip -o stripped "$loader" && echo "bpf-aot,-stripped $(stat -L -c %s stripped)" >> sizes.txt
  for machine in x86_64 aarch64 riscv64; do
    static=$build/lib/bpf-aot/$machine/bpf-aot preload=$build/lib/bpf-aot/$machine/libbpfaot-preload.so
    [ -f "$static" ] && echo "bpf-aot,-static,-$machine $(stat -L -c %s "$static")" >> sizes.txt
    [ -f "$preload" ] && echo "libbpfaot-preload.so,-$machine $(stat -L -c %s "$preload")" >> sizes.txt
  done
fi

if wanted compile; then
  for _ in 1 2 3 4 5; do
    "$compiler" --time-report malloc_sizes.bpf.o -o timed.so 2>> compile.txt
  done
  to_bpf=(clang-19 -g -O2 -target bpf -mcpu=v3 -I "$root/bench/exec" -I /usr/include/x86_64-linux-gnu)
  for name in histo hashcnt siphash; do
    "${to_bpf[@]}" -c "$root/bench/exec/programs/$name.c" -o "$name.bpf.o"
  done
  python3 "$root/bench/large.py" 16000 > large.c
  "${to_bpf[@]}" -c large.c -o large.bpf.o
  python3 "$root/bench/compile.py" "$compiler" 10 malloc_sizes.bpf.o sensor.bpf.o histo.bpf.o hashcnt.bpf.o \
    siphash.bpf.o large.bpf.o > process.txt
fi

"$loader" --version | head -n 1 > version.txt
python3 "$root/bench/table.py" . > "$out/table.txt" 2> problems || { cat problems >&2; exit 1; }
python3 "$root/bench/table.py" . --json > "$out/table.json"
cat "$out/table.$([ $form = json ] && echo json || echo txt)"
