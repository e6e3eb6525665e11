#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a probe adds to a call: entry, return, both, and one that does real work, beside the plain
# call, in one process and one run. usage: bench/probes.sh [BUILD_DIR] [--json]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build
json=no
for argument in "$@"; do
  case $argument in
  --json) json=yes ;;
  -h | --help) sed -n '3,4s/^# //p' "$0"; exit 0 ;;
  *) build=$argument ;;
  esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gcc -O2 -fcf-protection=none -o "$work/probes" "$root/bench/probes.c"
clang-19 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I /usr/include/x86_64-linux-gnu \
  -c "$root/bench/probes.bpf.c" -o "$work/probes.bpf.o"
"$build/bin/bpf-aotc" "$work/probes.bpf.o" -o "$work/probes.so"
"$build/bin/bpf-aot" run -o "$work/observed" \
  --attach "count_entry=uprobe:$work/probes:entry_array" \
  --attach "count_percpu=uprobe:$work/probes:entry_percpu" \
  --attach "count_return=uretprobe:$work/probes:return_array" \
  --attach "count_entry=uprobe:$work/probes:both_array" \
  --attach "count_return=uretprobe:$work/probes:both_array" \
  --attach "send_event=uprobe:$work/probes:entry_event" \
  "$work/probes.so" -- "$work/probes" > "$work/times"

# A figure is worth nothing if the probe did not run: 60 rounds of 200,000 calls each, counted.
grep -q '^@counts\[0\]: 24000000$' "$work/observed" || { echo "probes were not hit as often as called:" >&2; grep '^@' "$work/observed" >&2; exit 1; }

if [ "$json" = yes ]; then
  awk -v machine="$(uname -m) $(uname -r)" -v date="$(date -u +%F)" '
    BEGIN { printf "{\"machine\":\"%s\",\"date\":\"%s\",\"ns\":[", machine, date }
    $1 == "plain" { base = $2 }
    { printf "%s{\"probe\":\"%s\",\"min\":%s,\"median\":%s,\"added\":%.2f}", NR > 1 ? "," : "", $1, $2, $3, $2 - base }
    END { print "]}" }' "$work/times"
else
  awk -v machine="$(uname -m) $(uname -r)" -v date="$(date -u +%F)" '
    BEGIN { printf "%s, %s: nanoseconds per call\n%-14s %8s %8s %8s %8s\n", machine, date, "probe", "min", "median", "added", "ratio" }
    $1 == "plain" { base = $2 }
    { printf "%-14s %8.2f %8.2f %8.2f %8.1f\n", $1, $2, $3, $2 - base, $2 / base }' "$work/times"
fi
