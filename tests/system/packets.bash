# SPDX-License-Identifier: MIT
# The body of packets-*.test, tail-calls-*.test and map-in-map-*.test: `machine` runs every program of packets.bpf.c or
# `source`.bpf.c whose name begins with `prefix` on every packet, natively or under qemu-user; numbers
# and packets must be the kernel's.
need jq perl
need_runner "$machine"
: "${source:=packets}" "${prefix:=}"
bpf_object "$source"
programs=$(aotc --list --json "$tmp/$source.bpf.o" | jq -r ".programs[].name | select(startswith(\"$prefix\"))")
packet() { perl -e 'print pack "H*", join "", map { s/\s//gr } @ARGV' "$@"; }
eth='feedfacebeef 0123456789ab'
ip4='4500003c 1c464000 4006b1e6 0a000001 0a000002'
tcp='3039005012345678 00000000a002ffff b1e60000 020405b40402080a'
packet "$eth" 0800 "$ip4" "$tcp" 0011223344556677 >"$tmp/tcp.in"
packet "$eth" 0800 '4600003c 1c464000 4011b1e6 0a000001 0a000002 01010101' '0035c0de00181234' 00112233445566778899aabbccddeeff >"$tmp/udp.in"
packet "$eth" 86dd '6000000000181140' "$(printf '20010db8%024d' 1)" "$(printf '20010db8%024d' 2)" '00350035001800ff' "$(printf '%032d' 7)" >"$tmp/udp6.in"
packet 'ffffffffffff 0123456789ab' 0806 '0001080006040001 0123456789ab 0a000001 000000000000 0a000002' >"$tmp/arp.in"
packet '000000000000 000000000000' 9999 >"$tmp/bare.in"
packet '01005e000001 000000000000' 0020 ffff "$(printf '%060d' 3)" >"$tmp/novell.in"
packet "$eth" 0800 "$ip4" "$(perl -e 'print "0123456789abcdef" x 180')" >"$tmp/long.in"
packet "$eth" 0800 4500 >"$tmp/cut.in"
packet 0102030405 >"$tmp/tiny.in"
inputs=$(cd "$tmp" && ls ./*.in)
[ "$machine" = "$(uname -m)" ] || inputs='./udp.in ./udp6.in ./bare.in ./tiny.in' # an emulator takes its time

gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
aotc -t "$machine" "$tmp/$source.bpf.o" -o "$tmp/$source.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $?"
expect "it says nothing" "$(cat "$tmp/aotc.err")" ""
checked=0 wrong=0
for program in $programs; do
  names=()
  for input in $inputs; do names+=("$tmp/$input" "$tmp/${input%.in}.kernel"); done
  timeout 60 "$tmp/kernel_oracle" packets "$tmp/$source.bpf.o" "$program" "${names[@]}" >"$tmp/kernel.txt" 2>"$tmp/kernel.err"
  case $? in
    0) ;;
    77) skip "$(sed -n 's/^SKIP: //p' "$tmp/kernel.txt")" ;;
    *) fail "kernel_oracle: $program" ;;
  esac
  n=0
  for input in $inputs; do
    n=$((n + 1))
    want=$(sed -n "${n}p" "$tmp/kernel.txt")
    rm -f "$tmp/ours"
    got=refused
    if aot test-run "$tmp/$source.so" --program "$program" --data-in "$tmp/$input" --data-out "$tmp/ours" --json \
      >"$tmp/run.json" 2>"$tmp/run.err"; then
      got=retval=$(jq -r .retval "$tmp/run.json")
    else
      grep -q '\[test-run\]' "$tmp/run.err" || fail "test-run of $program on $input"
    fi
    checked=$((checked + 1))
    [ "$got" = "${want%% *}" ] || { wrong=$((wrong + 1)); echo "$program on $input: $got, the kernel says $want"; continue; }
    [ "$got" = refused ] || cmp "$tmp/ours" "$tmp/${input%.in}.kernel" || { wrong=$((wrong + 1)); echo "$program on $input: another packet"; }
  done
done
[ $wrong = 0 ] || fail "$wrong of $checked results differ on $machine"
echo "$checked results and packets agree"
