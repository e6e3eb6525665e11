# SPDX-License-Identifier: MIT
# Sourced with a machine: the demonstration of its board shows what it says, and ends well.
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
BPFAOT_BUILD=$build_dir BPFAOT_FETCH_SECONDS=60 "$source_dir/scripts/board-demo.sh" "$1" >"$tmp/demo.out" 2>&1
status=$?
[ $status != 77 ] || skip "$(sed -n 's/^SKIP: //p' "$tmp/demo.out" | tail -n 1)"
[ $status = 0 ] || { tail -n 60 "$tmp/demo.out"; fail "board-demo.sh $1: status $status"; }
expect_line "user" "$tmp/demo.out" "^Linux .* on $1, user user \(1000\)"
expect "alarms of all four parts" "$(grep -c 'channel=3 value=429 comm=sensor' "$tmp/demo.out")" 6
expect "entries while attached" "$(sed -nE 's/^@channels.*readings=(6[23]), highest.*/\1/p' "$tmp/demo.out" |
  awk '{ n += $1 } END { print n }')" 500
