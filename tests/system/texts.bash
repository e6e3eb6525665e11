# SPDX-License-Identifier: MIT
# The body of texts-*.test: the results of strtol, strtoul, strncmp and snprintf on `machine` are the
# kernel's.
need jq perl
need_runner "$machine"
bpf_object texts
# NAME FLAGS ROOM TEXT (as perl reads it between double quotes)
cases='
decimal 0 48 42
zero 10 48 0
negative 0 48 -17rest
lone_sign 10 48 -
spaces 0 48  \t\n\x0b 12 34
plus 10 48 +5
hexadecimal 0 48 0xfFg
hexadecimal_given 16 20 0x1f
hexadecimal_bare 16 48 cafe
only_prefix 0 48 0x
only_prefix_given 16 48 0x
prefix_no_digit 0 48 0xg1
octal 0 48 0778
octal_given 8 48 755
binary 2 48 101
bad_flags 32 48 1
far_flags 4294967306 48 1
letters 10 48 hello
equal 10 48 hello, world
longer 10 48 hello, world!
shorter 10 48 hello
above 10 48 hellp
high_bytes 10 48 \xe4\xf6
largest 10 48 9223372036854775807
over_largest 10 48 9223372036854775808
least 10 48 -9223372036854775808
under_least 10 48 -9223372036854775809
full 0 48 18446744073709551615
over_full 0 48 18446744073709551616
far_over 10 48 99999999999999999999999999
hexadecimal_over 16 48 10000000000000000
long 10 48 0000000000000000000000000000000000000000000000000000000000000000000000001
none_broken 10 48 \xa012
cut_output 10 7 123456789
no_room 10 0 55
one_byte 10 1 56
zero_inside 10 48 12\x003
'
# Only some elsewhere: an emulator takes its time.
[ "$machine" = "$(uname -m)" ] || cases=$(grep -E '^(negative|spaces|hexadecimal|letters|least|over_full|cut_output) ' <<<"$cases")
gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
aotc -t "$machine" "$tmp/texts.bpf.o" -o "$tmp/texts.so" || fail "bpf-aotc: status $?"
names=() files=()
while read -r name flags room text; do
  [ -n "$name" ] || continue
  perl -e 'my ($flags, $room, $text) = @ARGV; $text = eval "\"$text\"";
    print pack("x14 Q L L a200", $flags, length($text), $room, $text)' "$flags" "$room" "$text" >"$tmp/$name.in"
  names+=("$name") files+=("$tmp/$name.in" "$tmp/$name.kernel")
done <<<"$cases"
timeout 60 "$tmp/kernel_oracle" packets "$tmp/texts.bpf.o" texts "${files[@]}" >"$tmp/kernel.txt" 2>"$tmp/kernel.err"
case $? in
  0) ;;
  77) skip "$(sed -n 's/^SKIP: //p' "$tmp/kernel.txt")" ;;
  *) fail "kernel_oracle: $(cat "$tmp/kernel.err")" ;;
esac
wrong=0 n=0
for name in "${names[@]}"; do
  n=$((n + 1))
  want=$(sed -n "${n}p" "$tmp/kernel.txt")
  aot test-run "$tmp/texts.so" --program texts --data-in "$tmp/$name.in" --data-out "$tmp/$name.ours" --json >"$tmp/run.json" ||
    fail "test-run of $name"
  expect "what $name returns" "retval=$(jq -r .retval "$tmp/run.json")" "${want%% *}"
  cmp "$tmp/$name.ours" "$tmp/$name.kernel" || {
    wrong=$((wrong + 1))
    echo "$name: ours, the kernel's"
    for which in ours kernel; do
      perl -e 'local $/; my @out = unpack("x14 q4 q4 a48", <STDIN>); print "@out\n"' <"$tmp/$name.$which" | tr '\0' '.'
    done
  }
done
[ $wrong = 0 ] || fail "$wrong of $n results differ on $machine"
echo "$n results agree"
