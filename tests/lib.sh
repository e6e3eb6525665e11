# SPDX-License-Identifier: MIT
# For script tests: where things are, a scratch folder, and the report of cases that
# scripts/check.sh counts. Sourced; a test ends with `finish`.

set -u
export LC_ALL=C
SOURCE=${BPFAOT_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
BUILD=${BPFAOT_BUILD:-$SOURCE/build}
AOTC=$BUILD/bin/bpf-aotc
AOT=$BUILD/bin/bpf-aot
TEST=${BPFAOT_TEST:-$(basename "$0" .sh)}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
passed=0 failed=0 skipped=0

report() {
  if [ -n "${BPFAOT_RESULTS:-}" ]; then
    printf '%s\n' "$*" >>"$BPFAOT_RESULTS/$TEST.cases"
  fi
}
# pass NAME; fail NAME WHY…; skip NAME WHY…: one case each. Names are words with underscores.
pass() {
  passed=$((passed + 1))
  report "pass $1"
  printf 'ok      %s\n' "$1"
}
fail() {
  failed=$((failed + 1))
  report "fail $1"
  printf 'FAILED  %s: %s\n' "$1" "${*:2}"
}
skip() {
  skipped=$((skipped + 1))
  report "skip $1: ${*:2}"
  printf 'skipped %s: %s\n' "$1" "${*:2}"
}
# check NAME COMMAND…: a case that passes when the command succeeds; its output is shown if not.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    pass "$name"
  else
    fail "$name" "$(printf '%s' "$* failed"; printf '\n%s' "$output" | head -40)"
  fi
}
# complain_if NAME TEXT: a case that passes when a lint found nothing.
complain_if() {
  if [ -z "$2" ]; then pass "$1"; else fail "$1" "$(printf '\n%s' "$2" | head -40)"; fi
}
# skip_all WHY: nothing of this test can run here.
skip_all() {
  printf 'SKIP: %s\n' "$*"
  exit 77
}
finish() {
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
  exit
}

# Every file of the repository that people write, one a line, relative to it.
repository_files() {
  (cd "$SOURCE" && find . -path './.git' -prune -o -path './build*' -prune -o -path './.cache' -prune \
    -o -type f ! -name '*.swp' -print | sed 's,^\./,,' | sort)
}

# compile_bpf IN.c OUT.o [FLAGS…]: C to eBPF as the README says.
compile_bpf() {
  local input=$1 output=$2
  shift 2
  clang-19 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I "$SOURCE/examples" \
    -I /usr/include/x86_64-linux-gnu "$@" -c "$input" -o "$output"
}
