# SPDX-License-Identifier: MIT
# The body of *-verdicts.test: what is accepted and refused of the programs in `source`.bpf.c is what their
# names say, of us and of the kernel: NAME_good, NAME_bad, or NAME_stricter, refused here only. Ours is in
# $tmp/ours.txt afterwards, a line "accept|reject NAME CODE" each.
need jq
bpf_object $source
aotc --verify-only --json "$tmp/$source.bpf.o" >"$tmp/ours.json" 2>"$tmp/aotc.err" || [ $? = 1 ] || fail "bpf-aotc: status $?"
jq -r '.programs[] | "\(if .verdict == "accept" then "accept" else "reject" end) \(.name) \(.code)"' "$tmp/ours.json" >"$tmp/ours.txt"
wrong=0
while read -r verdict name code; do
  case $name in *_good) want=accept ;; *_bad | *_stricter) want=reject ;; *) fail "what is to become of $name?" ;; esac
  [ "$verdict" = "$want" ] || { wrong=$((wrong + 1)); echo "$name: we say $verdict ($code)"; }
done <"$tmp/ours.txt"
[ $wrong = 0 ] || fail "$wrong verdicts of ours are wrong"
echo "$(wc -l <"$tmp/ours.txt") verdicts of ours as expected"

gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
timeout 120 "$tmp/kernel_oracle" verdicts "$tmp/$source.bpf.o" >"$tmp/kernel.txt" 2>"$tmp/kernel.err"
status=$?
[ $status != 77 ] || { echo "the kernel was not asked: $(cat "$tmp/kernel.txt")"; exit 0; }
expect "status of kernel_oracle" $status 0
while read -r verdict name; do
  case $name in
    *_of_tracing_stricter) continue ;; # depends on its version
    *_good | *_stricter) want=accept ;;
    *) want=reject ;;
  esac
  [ "$verdict" = "$want" ] || { wrong=$((wrong + 1)); echo "$name: the kernel says $verdict"; }
done <"$tmp/kernel.txt"
[ $wrong = 0 ] || fail "$wrong verdicts of the kernel are not what was expected"
echo "$(wc -l <"$tmp/kernel.txt") verdicts of the kernel as expected"
