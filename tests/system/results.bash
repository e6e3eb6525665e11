# SPDX-License-Identifier: MIT
# The body of results-*.test and callbacks-*.test: `machine` runs every program of results.bpf.c or
# `source`.bpf.c on four inputs, natively or under qemu-user, and the kernel is the oracle.
need jq
need_runner "$machine"
: "${source:=results}"
bpf_object "$source"
programs=$(aotc --list --json "$tmp/$source.bpf.o" | jq -r ".programs[].name")
# native words of the machine, which are little-endian on all three
words() { perl -e 'no warnings; print pack "Q<*", map { /^0x/ ? hex : $_ } @ARGV' -- "$@"; }
words 1 2 3 4 >"$tmp/in1"
words 0xfedcba9876543210 0x8000000000000001 0x7fffffffffffffff 0xffffffff80000000 >"$tmp/in2"
words 0x123456789abcdef 0xfff1 0x80ff7f01 0xdeadbeef00000033 >"$tmp/in3"
words -1 -1 -1 -1 >"$tmp/in4"

gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
aotc -t "$machine" "$tmp/$source.bpf.o" -o "$tmp/$source.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
checked=0 refused=0 wrong=0
for program in $programs; do
  for n in 1 2 3 4; do
    want=$(timeout 60 "$tmp/kernel_oracle" test-run "$tmp/$source.bpf.o" "$program" "$tmp/in$n" 2>"$tmp/kernel.err")
    case $? in
      0) want=$(sed -n 's/^retval=//p' <<<"$want") ;;
      77) reason=$want refused=$((refused + 1)); continue ;;
      *) fail "kernel_oracle: $program" ;;
    esac
    aot test-run "$tmp/$source.so" --program "$program" --data-in "$tmp/in$n" --repeat 1 --json >"$tmp/run.json" 2>"$tmp/run.err" ||
      fail "test-run of $program: status $?"
    got=$(jq -r .retval "$tmp/run.json")
    checked=$((checked + 1))
    [ "$got" = "$want" ] || { wrong=$((wrong + 1)); echo "$program on input $n: got $got, the kernel says $want"; }
  done
done
[ $wrong = 0 ] || fail "$wrong of $checked results differ on $machine"
[ $checked != 0 ] || skip "${reason#SKIP: }"
echo "$checked results agree, $refused refused by the kernel"
