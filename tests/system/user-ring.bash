# SPDX-License-Identifier: MIT
# The body of user-ring-*.test: records of --push are what programs drain on `machine`.
need jq
need_runner "$machine"
bpf_object user_ring
aotc -t "$machine" "$tmp/user_ring.bpf.o" -o "$tmp/x.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
record() { perl -e 'print pack "L<*", @ARGV[1 .. $#ARGV]' -- "$@" >"$tmp/$1"; }
result() { # PROGRAM FILE…
  local program=$1 file push=()
  shift
  for file; do push+=(--push "records=$tmp/$file"); done
  aot test-run "$tmp/x.so" --program "$program" "${push[@]}" --repeat 1 --json >"$tmp/run.json" 2>"$tmp/run.err" ||
    fail "test-run of $program: status $?"
  jq -r .retval "$tmp/run.json"
}
record one 1 6
record two 2 7
record three 3 8 9
: >"$tmp/empty"
expect "nothing" "$(result drain)" 0
expect "three records" "$(result drain one two three)" 1232803
expect "a record that is too short stops it" "$(result drain one empty two)" 10802
expect "two, then the third" "$(result in_parts one two three)" 1230201
expect "slices" "$(result slices one two empty three)" $((1 * 7 + 2 * 8 + 3 * 9))
expect "flags" "$(result bad_flags one)" $((0x100000000 - 22))
head -c 4089 /dev/zero >"$tmp/large"
expect_refused() { # WHAT CODE ARGUMENT…
  local what=$1 code=$2
  shift 2
  if aot test-run "$tmp/x.so" --program drain "$@" >"$tmp/out" 2>"$tmp/err"; then fail "$what was not refused"; fi
  expect_line "$what" "$tmp/err" "\\[$code\\]"
}
expect_refused "a record that never fits" map-spec --push "records=$tmp/large"
expect_refused "a map that is not there" map-unknown --push "other=$tmp/one"
expect_refused "no file" usage --push records
