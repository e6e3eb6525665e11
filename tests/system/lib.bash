# SPDX-License-Identifier: MIT
# What every *.test sources: a private directory, bounded runs of the two tools, compilers for probes
# and victims, and comparisons that say what was expected. A test ends at its first failure.
set -u
shopt -s lastpipe
export LC_ALL=C
system_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$system_dir/../.." && pwd)
build_dir=${BPFAOT_BUILD_DIR:-$source_dir/build}
bpf_aotc=${BPF_AOTC:-$build_dir/bin/bpf-aotc}
bpf_aot=${BPF_AOT:-$build_dir/bin/bpf-aot}
preload=${BPFAOT_PRELOAD:-$(ls "$build_dir/lib/bpf-aot/$(uname -m)/libbpfaot-preload.so" 2>/dev/null)}
clang=${BPFAOT_CLANG:-clang-19}
multiarch=$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
tmp=$(mktemp -d)
children=()

finish() {
  local status=$? pid
  for pid in ${children[@]+"${children[@]}"}; do kill -9 "$pid" 2>/dev/null; done
  rm -rf "$tmp"
  exit $status
}
trap finish EXIT

show() { local f; for f in "$@"; do [ ! -s "$f" ] || { echo "--- $(basename "$f")"; head -n 25 "$f" | cut -c1-300; }; done; }
fail() { echo "FAIL: $*"; show "$tmp"/*.out "$tmp"/*.err "$tmp"/*.txt; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }
need() { local c; for c in "$@"; do command -v "$c" >/dev/null || skip "$c is not installed"; done; }
# Images of other machines run under qemu-user, by a bpf-aot of that machine.
need_runner() { # MACHINE
  [ "$1" = "$(uname -m)" ] || [ -x "$build_dir/lib/bpf-aot/$1/bpf-aot" ] || skip "no bpf-aot for $1 is built"
}
need_terminal() { need script; script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no pseudo-terminal can be opened here"; }

# expect WHAT GOT WANTED
expect() { [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"; }
# expect_between WHAT GOT LOW HIGH
expect_between() { [ -n "$2" ] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || fail "$1: got '$2', expected $3..$4"; }
# expect_line WHAT FILE REGEX: some line matches the extended regular expression
expect_line() { grep -qE -- "$3" "$2" || fail "$1: no line of $(basename "$2") matches /$3/"; }
expect_no_line() { ! grep -qE -- "$3" "$2" || fail "$1: a line of $(basename "$2") matches /$3/"; }

aotc() { timeout -k 2 60 "$bpf_aotc" "$@"; }
aot() { timeout -k 2 60 "$bpf_aot" "$@"; }

# bpf_object NAME [FLAGS…]: programs/NAME.bpf.c -> $tmp/NAME.bpf.o (built for x86)
bpf_object() {
  local name=$1; shift
  timeout 60 "$clang" -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I "$source_dir/examples" \
    -I "/usr/include/$multiarch" -I "$system_dir/programs" "$@" -c "$system_dir/programs/$name.bpf.c" \
    -o "$tmp/$name.bpf.o" || fail "clang does not compile $name.bpf.c"
}
# probe NAME [FLAGS…]: programs/NAME.bpf.c -> $tmp/NAME.so for this machine
probe() {
  bpf_object "$@"
  aotc "$tmp/$1.bpf.o" -o "$tmp/$1.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc refuses $1.bpf.o (status $?)"
  [ -f "$tmp/$1.so" ] || fail "bpf-aotc leaves no $1.so"
}
# victim NAME COMPILER [FLAGS…]: victims/NAME -> $tmp/STEM
victim() {
  local source=$system_dir/victims/$1 compiler=$2 stem=${1%.*}; shift 2
  timeout 60 "$compiler" -g -O1 -fno-inline "$source" -o "$tmp/$stem" "$@" || fail "$compiler does not compile $source"
}

# traced OUT_STEM ARGS…: bpf-aot run, with what is observed in $tmp/OUT_STEM.txt and the command's
# own output in .out and .err; the exit status is the command's. BPFAOT_RUN_WITH: options for all.
traced() {
  local stem=$1; shift
  aot run ${BPFAOT_RUN_WITH:-} -o "$tmp/$stem.txt" "$@" >"$tmp/$stem.out" 2>"$tmp/$stem.err"
}
# traced_ok: the same, and the command must succeed
traced_ok() { traced "$@" || fail "bpf-aot run ${*:2}: status $?"; }

# map_value FILE NAME KEY: the value of a line "@name[key]: value", 0 when it is absent
map_value() {
  awk -v want="@$2[$3]: " 'index($0, want) == 1 { v = substr($0, length(want) + 1); n = 1 } END { print n ? v : 0 }' "$1"
}

# attach_start STEM PID ARGS…: bpf-aot attach in the background with output to $tmp/STEM.txt; returns
# when the probes are in place. Sets attach_pid (of bpf-aot) and attach_id.
attach_start() {
  local stem=$1 pid=$2 i; shift 2
  rm -f "$tmp/$stem.err"
  "$bpf_aot" attach -p "$pid" -o "$tmp/$stem.txt" "$@" >"$tmp/$stem.out" 2>"$tmp/$stem.err" &
  attach_pid=$!
  children+=("$attach_pid")
  for ((i = 0; i < 600; i++)); do
    attach_id=$(sed -nE 's/^attached to process [0-9]+ as id ([0-9]+).*/\1/p' "$tmp/$stem.err" 2>/dev/null)
    [ -z "$attach_id" ] || return 0
    kill -0 "$attach_pid" 2>/dev/null || break
    sleep 0.05
  done
  fail "bpf-aot attach does not attach to $pid"
}
# attachment_of PID: the id in `bpf-aot list` of the newest attachment to PID, or nothing
attachment_of() {
  aot list --json 2>/dev/null | jq -rs --argjson p "$1" '[.. | objects | select(.pid? == $p) | .id] | last // empty' 2>/dev/null
}
# wait_end PID WHAT: waits for a child of this shell, sets ended to its exit status
wait_end() {
  local i
  for ((i = 0; i < 300; i++)); do
    kill -0 "$1" 2>/dev/null || { wait "$1"; ended=$?; return 0; }
    sleep 0.1
  done
  fail "$2 does not end"
}

# service NAME ARGS…: starts $tmp/NAME as a coprocess that obeys one line at a time
service() {
  coproc SERVICE { exec "$tmp/$1" "${@:2}"; }
  service_pid=$SERVICE_PID
  children+=("$service_pid")
  local line
  read -r -t 20 line <&"${SERVICE[0]}" || fail "$1 does not start"
  expect "greeting of $1" "${line%% *}" ready
}
# ask WORDS…: sends a line to the service, sets reply
ask() {
  echo "$*" >&"${SERVICE[1]}" || fail "the victim is gone"
  read -r -t 30 reply <&"${SERVICE[0]}" || fail "the victim does not answer '$*'"
}
