#!/bin/bash
# SPDX-License-Identifier: MIT
# Objects that must not become images: each with its verdict, code and source line, nothing left
# behind, and never a crash. The programs are in bad/, each says at its top what is expected.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"
here=$SOURCE/tests/e2e

# field JSON-FILE NAME: that field of the first program.
field() {
  python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["programs"][0].get(sys.argv[2], ""))' "$1" "$2"
}

# refuses NAME CODE FILE: bpf-aotc exits 1 with one of the codes and leaves no output.
refuses() {
  local name=$1 codes=$2 input=$3 status
  "$AOTC" "$input" -o "$SCRATCH/$name.so" >"$SCRATCH/out" 2>"$SCRATCH/err"
  status=$?
  if [ "$status" -ne 1 ]; then
    fail "$name" "exit status $status, expected 1: $(head -c 600 "$SCRATCH/err")"
  elif ! grep -qE "\[($codes)\]" "$SCRATCH/err"; then
    fail "$name" "no code [$codes]: $(head -c 600 "$SCRATCH/err")"
  elif ls "$SCRATCH/$name".so* >/dev/null 2>&1; then
    fail "$name" "left $(ls "$SCRATCH/$name".so*)"
  else
    pass "$name"
  fi
}

for program in "$here"/bad/*.bpf.c; do
  name=$(basename "$program" .bpf.c)
  expected=$(sed -n 's,^// Expected: ,,p' "$program")
  verdict=${expected%% *}
  code=$(sed 's/.*\[\(.*\)\].*/\1/' <<<"$expected")
  line=$(grep -n '// here' "$program" | cut -d: -f1)
  if ! compile_bpf "$program" "$SCRATCH/$name.o" >"$SCRATCH/log" 2>&1; then
    fail "$name" "$(cat "$SCRATCH/log")"
    continue
  fi
  refuses "$name" "$code" "$SCRATCH/$name.o"
  "$AOTC" --verify-only --json "$SCRATCH/$name.o" >"$SCRATCH/$name.json" 2>"$SCRATCH/err"
  status=$?
  # A file that cannot be read as a whole has no programs to report on.
  if ! python3 -c 'import json,sys; sys.exit(not json.load(open(sys.argv[1]))["programs"])' \
    "$SCRATCH/$name.json" 2>/dev/null; then
    if [ "$status" -eq 1 ] && grep -qE "\[($code)\]|\"code\":\"($code)\"" "$SCRATCH/err"; then
      pass "${name}_reported"
    else
      fail "${name}_reported" "status $status, no program in the report: $(cat "$SCRATCH/$name.json" "$SCRATCH/err")"
    fi
    continue
  fi
  got="$(field "$SCRATCH/$name.json" verdict) $(field "$SCRATCH/$name.json" code)"
  if [ "$status" -ne 1 ] || ! grep -qE "^$verdict ($code)\$" <<<"$got"; then
    fail "${name}_reported" "status $status, '$got', expected '$verdict $code'"
  elif [ -n "$line" ] && [ "$(field "$SCRATCH/$name.json" line)" != "$line" ]; then
    fail "${name}_reported" "line $(field "$SCRATCH/$name.json" line), expected $line"
  else
    pass "${name}_reported"
  fi
done

# One bad program does not hide the others, and each is reported.
cat "$here/bad/missing_null_check.bpf.c" >"$SCRATCH/both.bpf.c"
cat >>"$SCRATCH/both.bpf.c" <<'X'
SEC("uprobe/libc.so.6:free")
int good(struct pt_regs *ctx) { return 0; }
X
compile_bpf "$SCRATCH/both.bpf.c" "$SCRATCH/both.o"
"$AOTC" --verify-only --json "$SCRATCH/both.o" >"$SCRATCH/both.json" 2>/dev/null
check one_bad_program_does_not_hide_the_others python3 -c '
import json, sys
programs = {p["name"]: p for p in json.load(open(sys.argv[1]))["programs"]}
assert programs["probe"]["verdict"] == "reject", programs
assert programs["good"]["verdict"] == "accept", programs
for p in programs.values():
    missing = {"section", "name", "verdict", "code", "message", "file", "line", "insn"} - set(p)
    assert not missing, missing' "$SCRATCH/both.json"

# Files that are no objects for this tool.
good=$SCRATCH/good.o
compile_bpf "$SOURCE/examples/malloc_sizes.bpf.c" "$good"
printf 'hello, this is text\n' >"$SCRATCH/text.o"
: >"$SCRATCH/empty.o"
cp /bin/true "$SCRATCH/host.o"
refuses not_elf not-elf "$SCRATCH/text.o"
refuses empty_file 'not-elf|elf-truncated' "$SCRATCH/empty.o"
refuses wrong_machine wrong-machine "$SCRATCH/host.o"
clang-19 -g -O2 -target bpfeb -mcpu=v3 -D__TARGET_ARCH_x86 -I /usr/include/x86_64-linux-gnu \
  -c "$SOURCE/examples/malloc_sizes.bpf.c" -o "$SCRATCH/big.o"
refuses big_endian big-endian "$SCRATCH/big.o"
refuses missing_file io "$SCRATCH/none.o"
refuses a_folder io "$SCRATCH"

# Truncated at the start, the middle and the last byte of every section, and of the header.
python3 - "$good" "$SCRATCH/truncated" <<'X'
import os, struct, sys
data = open(sys.argv[1], "rb").read()
os.mkdir(sys.argv[2])
offset, = struct.unpack_from("<Q", data, 40)
size, count = struct.unpack_from("<HH", data, 58)
cuts = {1, 3, 4, 16, 63, 64, len(data) - 1, offset, offset + 1}
for i in range(count):
    kind, = struct.unpack_from("<I", data, offset + i * size + 4)
    start, length = struct.unpack_from("<QQ", data, offset + i * size + 24)
    if kind != 8:
        cuts |= {start, start + length // 2, start + max(length, 1) - 1}
for cut in sorted(c for c in cuts if c < len(data)):
    open(f"{sys.argv[2]}/{cut:06d}.o", "wb").write(data[:cut])
X
wrong=
for cut in "$SCRATCH"/truncated/*.o; do
  "$AOTC" "$cut" -o "$SCRATCH/cut.so" >"$SCRATCH/out" 2>"$SCRATCH/err"
  status=$?
  if [ "$status" -ne 1 ] || ! grep -qE '\[(not-elf|elf-truncated|elf-malformed)\]' "$SCRATCH/err"; then
    wrong+="$(basename "$cut"): status $status: $(head -n 1 "$SCRATCH/err")"$'\n'
  fi
  [ ! -e "$SCRATCH/cut.so" ] || { wrong+="$(basename "$cut"): left an output"$'\n'; rm -f "$SCRATCH/cut.so"; }
done
complain_if truncated_at_every_section "$wrong"

# One byte changed at a time, spread over the file: refused or compiled, never a crash.
python3 - "$good" "$SCRATCH/changed" <<'X'
import os, random, sys
data = open(sys.argv[1], "rb").read()
os.mkdir(sys.argv[2])
chance = random.Random(1)
for i in range(150):
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3))):
        changed[chance.randrange(len(data))] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
    open(f"{sys.argv[2]}/{i:03d}.o", "wb").write(changed)
X
wrong=
for changed in "$SCRATCH"/changed/*.o; do
  timeout 20 "$AOTC" --verify-only "$changed" >"$SCRATCH/out" 2>"$SCRATCH/err"
  status=$?
  [ "$status" -le 1 ] || wrong+="$(basename "$changed"): status $status: $(tail -n 1 "$SCRATCH/err")"$'\n'
done
complain_if changed_objects_never_crash "$wrong"

refuses_usage() {
  local name=$1 status
  shift
  "$AOTC" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
  status=$?
  if [ "$status" -eq 2 ] && [ -s "$SCRATCH/err" ] && [ ! -s "$SCRATCH/out" ]; then
    pass "$name"
  else
    fail "$name" "status $status, expected 2 and a message on stderr only: $(head -c 300 "$SCRATCH/err")"
  fi
}
refuses_usage no_input_is_a_usage_error
refuses_usage unknown_option_is_a_usage_error "$good" --no-such-option
refuses_usage unknown_machine_is_a_usage_error "$good" -t pdp11
finish
