#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs real objects through bpf-aotc and says what becomes of them: those of Debian's libbpf-tools, what
# bpftrace emits for its tools, and the kernel's selftests. Every one must be compiled for all machines
# or be refused with a stable code; a crash, a hang or an abort fails the script.
# usage: coverage.sh            everything (an hour or so); writes docs/coverage.md
#                              BPFAOT_COVERAGE_SELFTESTS=N: the first N sources of selftests only
#        coverage.sh --tools    libbpf-tools only
#        coverage.sh --check    libbpf-tools only, one machine each; compares with docs/coverage.md
# What is missing here (packages, root rights for bpftrace) is left out and said. Exit 77: nothing to do.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

aotc=$BUILD/bin/bpf-aotc
work=${BPFAOT_COVERAGE_DIR:-$BUILD/coverage}
[ -x "$aotc" ] || die "$aotc is not built"
mode=${1:-all}
case $mode in all | --tools | --check) ;; *) die "usage: coverage.sh [--tools | --check]" ;; esac

# Objects that skeletons of libbpf carry.
libbpf_tools() {
  local carve=$BUILD/tests/carve_bpf tool
  [ -x "$carve" ] || { say "coverage: $carve is not built: no libbpf-tools"; return; }
  dpkg -L libbpf-tools >/dev/null 2>&1 || { say "coverage: libbpf-tools is not installed"; return; }
  mkdir -p "$work/libbpf-tools"
  dpkg -L libbpf-tools | grep -E '/s?bin/' | while read -r tool; do
    [ -f "$tool" ] && [ ! -L "$tool" ] && "$carve" "$tool" "$work/libbpf-tools/$(basename "$tool").bpf.o" >/dev/null 2>&1
  done || true
}

# What bpftrace compiles; it wants to be root, and attaches to nothing.
bpftrace_tools() {
  local tool
  command -v bpftrace >/dev/null && [ "$(id -u)" = 0 ] || { say "coverage: no bpftrace, or not root"; return; }
  mkdir -p "$work/bpftrace"
  for tool in /usr/sbin/*.bt; do
    [ -f "$tool" ] || continue
    timeout 30 bpftrace --emit-elf "$work/bpftrace/$(basename "$tool" .bt).bpf.o" "$tool" >/dev/null 2>&1 </dev/null || true
  done
  find "$work/bpftrace" -size 0 -delete
}

rm -rf "$work/libbpf-tools"
libbpf_tools
if [ "$mode" = all ]; then
  rm -rf "$work/bpftrace"
  bpftrace_tools
  [ -f "$work/selftests/summary" ] || # they do not change: compiled once
    python3 "$REPO/tests/oracle/selftests.py" --compile "$work/selftests" ${BPFAOT_COVERAGE_SELFTESTS:-} || say "coverage: no selftests"
fi
exec python3 "$REPO/scripts/coverage.py" "$mode" "$aotc" "$work" "$REPO/docs/coverage.md"
