#!/bin/bash
# SPDX-License-Identifier: MIT
# --mattr: what it changes in the code of each machine, that attached programs use no vector registers
# whatever it says, and that an image runs where the processor has what it names, and nowhere else.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"
cd "$SCRATCH" || exit 1
cat >source.bpf.c <<'EOF'
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 counter;

SEC(KIND)
int program(__u32 *data) {
  __u32 words[64] = {}, sum = 0;
  for (int i = 0; i < 64; i++)
    words[i] = bpf_get_smp_processor_id() + i;
  for (int i = 0; i < 64; i++)
    sum += words[i] * words[i];
  __u64 old = __sync_fetch_and_add(&counter, sum);
  return (old << 7 | old >> 57) ^ ((sum & (1u << (old & 31))) ? 3 * old : 0);
}

char LICENSE[] SEC("license") = "GPL";
EOF
compile_bpf source.bpf.c buffer.bpf.o '-DKIND="syscall"' || skip_all "clang-19 does not compile"
compile_bpf source.bpf.c attached.bpf.o '-DKIND="uprobe"'

asm() { "$AOTC" "$1.bpf.o" -t "$2" --emit=asm=- "${@:3}"; }
# has NAME PATTERN OBJECT TARGET OPTION…; hasnt: the same with no such instruction
has() { check "$1" grep -qE "$2" <(asm "${@:3}"); }
hasnt() { check "$1" bash -c '! grep -qE "$1" "$2"' - "$2" <(asm "${@:3}"); }

has lse_is_used '\bldaddal\b' attached aarch64 --mattr=+lse
hasnt lse_needs_no_fence '\bdmb\b' attached aarch64 --mattr=+lse
has without_lse_there_is_a_fence '\bdmb\s+ish\b' attached aarch64
hasnt without_lse_there_is_none '\bldadd' attached aarch64
has zbb_is_used '\brori\b' attached riscv64 --mattr=+zba,+zbb,+zbs
hasnt without_zbb_there_is_none '\brori\b' attached riscv64 --mattr=+zba
has bmi2_is_used '\b(rorx|shlx|shrx|sarx|mulx)' buffer x86_64 --mattr=+bmi2
hasnt the_last_word_holds '\b(rorx|shlx|shrx|sarx|mulx)' buffer x86_64 --mattr=+bmi2 --mattr=-bmi2
has avx2_is_used 'ymm' buffer x86_64 --mattr=+avx2
hasnt avx2_can_be_left_out 'ymm' buffer x86_64 --mcpu=x86-64-v3 --mattr=-avx
hasnt attached_x86_64_has_no_vectors '[xyz]mm[0-9]' attached x86_64 --mcpu=x86-64-v4 --mattr=+avx2,+avx512f,+avx512vl,+sse4.2
hasnt attached_aarch64_has_no_vectors '\b[vqds][0-9]+(\.[0-9]+[bhsd])?\b' attached aarch64 --mattr=+dotprod,+lse,+rcpc,+cssc

# Every name of every machine is one of LLVM's, alone and switched off.
for target in x86_64 aarch64 riscv64; do
  names=$("$AOTC" -t $target --mattr=help | awk 'NR > 1 { print $1 }')
  check "${target}_has_names" test "$(wc -w <<<"$names")" -ge 4
  for name in $names; do
    for sign in + -; do
      for kind in attached buffer; do
        "$AOTC" $kind.bpf.o -t $target --mattr=$sign$name -o "$kind-$target-$name.so" 2>err && [ ! -s err ] || fail "$kind_$target$sign$name" "$(head -3 err)"
      done
    done
    for kind in attached buffer; do
      "$AOTC" $kind.bpf.o -t $target --mattr=+$name -o "$kind-$target-$name.so" 2>err
    done
    needs=$("$AOT" info buffer-$target-$name.so | sed -n 's/^needs *//p')
    check "${target}_${name}_is_in_the_image" grep -qE "(^|, )$name(,|$)" <(sed 's/x86-64-v2/&, cx16, sahf, popcnt, sse3, ssse3, sse4.1, sse4.2/' <<<"$needs")
  done
done

# The kernel's list of what this processor has is the oracle of what the loader lets run.
if [ "$(uname -m)" = x86_64 ]; then
  declare -A kernels=([sahf]=lahf_lm [lzcnt]=abm [bmi]=bmi1 [sse3]=pni [sse4.1]=sse4_1 [sse4.2]=sse4_2)
  for name in $("$AOTC" -t x86_64 --mattr=help | awk 'NR > 1 { print $1 }'); do
    "$AOTC" buffer.bpf.o -t x86_64 --mcpu=x86-64 --mattr=+$name -o one.so
    "$AOT" test-run one.so --program program >out 2>err
    status=$?
    if grep -qw "${kernels[$name]:-$name}" <(grep -m1 ^flags /proc/cpuinfo); then
      check "runs_with_$name" test $status -eq 0
    else
      check "is_refused_without_$name" grep -q "needs .*$name.*image-cpu" <(tr '\n' ' ' <err)
    fi
  done
fi

# Other machines' processors, as qemu-user has them: a Cortex-A53 is ARMv8.0, "max" has all that qemu knows.
# qemu 7.2 has no hwprobe, and a riscv64 that does not tell has nothing.
on() { # MACHINE CPU
  if ! command -v "$1-linux-gnu-g++" >/dev/null || ! command -v "qemu-$1" >/dev/null; then
    skip "$1_$2" "no compiler or emulator for $1"
    return
  fi
  "$1-linux-gnu-g++" -std=c++20 -O1 -static -I "$SOURCE" -I "$SOURCE/include" -DMACHINE="$1" \
    "-DFEATURES=\"targets/$1/cpu_features.h\"" "$SOURCE/tests/e2e/features_of.cpp" "$SOURCE/targets/$1/cpu_features.cpp" -o "features-$1"
  check "$1_$2" diff <("qemu-$1" -cpu "$2" "./features-$1") <(printf '%s' "$3")
}
on aarch64 cortex-a53 ''
on aarch64 max $'lse\nrcpc\ndotprod\n'
on riscv64 rv64 ''

# This processor: what --mcpu=native makes runs here, and is for here only.
host=$(uname -m)
"$AOTC" buffer.bpf.o --mcpu=native -o native.so 2>err
check native_compiles test $? -eq 0
"$AOT" test-run native.so --program program >out 2>err
check native_runs test $? -eq 0
for other in x86_64 aarch64; do
  [ $other = "$host" ] && continue
  "$AOTC" buffer.bpf.o -t $other --mcpu=native -o no.so 2>err
  check native_is_this_machine test $? -eq 2
done

# Words that are none.
for word in +nonsense avx2 + +avx2, -; do
  "$AOTC" buffer.bpf.o -t x86_64 "--mattr=$word" -o bad.so 2>err
  check "refused_$word" test $? -eq 2 -a ! -e bad.so
done
"$AOTC" buffer.bpf.o -t x86_64 -t aarch64 --mattr=+lse -o 'bad-%a.so' 2>err
check feature_of_another_machine test $? -eq 2
check feature_of_another_machine_is_named grep -q "unknown feature 'lse' for x86_64" err
"$AOTC" buffer.bpf.o --mattr=+lse -t aarch64 -o a.so --reproduce=case.tar
check reproduce_keeps_it grep -q -- '--mattr=+lse' <(tar -xOf case.tar case/response.txt)
finish
