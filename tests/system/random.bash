# SPDX-License-Identifier: MIT
# The body of random-*.test: programs of random_programs.pl, with fixed seeds, on `machine` and in the
# kernel.
need jq perl
need_runner "$machine"
gcc -g -O1 "$system_dir/kernel_oracle.c" -o "$tmp/kernel_oracle" -lbpf -lelf -lz || fail "kernel_oracle"
checked=0 refused=0 wrong=0 count=40
for seed in ${BPFAOT_SEEDS:-11 12}; do
  perl "$system_dir/random_programs.pl" "$seed" $count >"$tmp/random.s" || fail "random_programs.pl"
  timeout 60 "$clang" -target bpf -mcpu=v4 -c "$tmp/random.s" -o "$tmp/random.bpf.o" || fail "clang"
  perl -e 'srand shift; print pack "L<8", map { int rand 2**32 } 1 .. 8' "$seed" >"$tmp/in"
  aotc -t "$machine" "$tmp/random.bpf.o" -o "$tmp/random.so" >"$tmp/aotc.out" 2>"$tmp/aotc.err" || fail "bpf-aotc: status $? (seed $seed)"
  for ((p = 0; p < count; p++)); do
    want=$(timeout 60 "$tmp/kernel_oracle" test-run "$tmp/random.bpf.o" p$p "$tmp/in" 2>"$tmp/kernel.err")
    case $? in
      0) want=$(sed -n 's/^retval=//p' <<<"$want") ;;
      77) reason=$want refused=$((refused + 1)); continue ;;
      *) fail "kernel_oracle: p$p" ;;
    esac
    got=$(aot test-run "$tmp/random.so" --program p$p --data-in "$tmp/in" --repeat 1 --json 2>"$tmp/run.err" | jq -r .retval)
    checked=$((checked + 1))
    [ "$got" = "$want" ] || { wrong=$((wrong + 1)); echo "seed $seed, p$p: got $got, the kernel says $want"; }
  done
done
[ $wrong = 0 ] || fail "$wrong of $checked results differ on $machine"
[ $checked != 0 ] || skip "${reason#SKIP: }"
echo "$checked results agree, $refused programs refused by the kernel"
