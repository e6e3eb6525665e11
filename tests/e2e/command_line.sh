#!/bin/bash
# SPDX-License-Identifier: MIT
# What the users of compilers expect of bpf-aotc's command line: targets, stages, warnings, response
# files, dependency files, reports, archives to reproduce a run, exit statuses.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] || skip_all "bpf-aotc is not built"
cd "$SCRATCH" || exit 1
objects=$SOURCE/tests/unit/aotc/objects
compile_bpf "$objects/probes.bpf.c" probes.bpf.o || skip_all "clang-19 does not compile"
compile_bpf "$objects/mixed.bpf.c" mixed.bpf.o
compile_bpf "$objects/mixed.bpf.c" bad.bpf.o -DWITH_BAD
compile_bpf "$objects/small.bpf.c" small.bpf.o

# status NAME WANTED COMMAND…: a case that passes when the command ends with that status
status() {
  local name=$1 wanted=$2 got
  shift 2
  "$@" >out 2>err
  got=$?
  if [ $got -eq "$wanted" ]; then pass "$name"; else fail "$name" "status $got: $(head -5 err)"; fi
}
json() { python3 -c "import json, sys; r = [json.loads(l) for l in open('$1')]; assert $2, r"; }

# Targets.
status print_targets 0 "$AOTC" --print-targets
check print_targets_has_three test "$(grep -cE '^(x86_64|aarch64|riscv64) ' out)" -eq 3
status target_help 0 "$AOTC" --target=help
status unknown_target 2 "$AOTC" small.bpf.o -t pdp11
for name in aarch64 arm64 aarch64-linux-gnu aarch64-linux-musl aarch64-unknown-linux-gnu; do
  status "target_$name" 0 "$AOTC" small.bpf.o --target="$name" -o "t-$name.so"
  check "target_${name}_is_the_same" cmp t-aarch64.so "t-$name.so"
done
status several_targets 0 "$AOTC" probes.bpf.o -t x86_64 -t aarch64 -t riscv64 -o 'probes-%a.so' --time-report --stats
check several_targets_give_three_images test -s probes-x86_64.so -a -s probes-aarch64.so -a -s probes-riscv64.so
# One verification serves them all: the verifier's own count is that of a single target.
cp err three.err
status one_target 0 "$AOTC" probes.bpf.o -t x86_64 -o one.so --stats
check several_targets_are_verified_once diff <(grep '^verified ' three.err) <(grep '^verified ' err)
check several_targets_are_lowered_three_times test "$(grep -c '^lower ' three.err)-$(grep -c '^verify ' three.err)" = 3-1
check several_targets_change_no_image cmp one.so probes-x86_64.so
status several_targets_one_name 2 "$AOTC" probes.bpf.o -t x86_64 -t aarch64 -o x.so

# Stages.
for stage in insns cfg facts llvm-ir-unopt llvm-ir asm obj so; do
  status "emit_$stage" 0 "$AOTC" small.bpf.o -t riscv64 --emit=$stage=stage.out
  check "emit_${stage}_writes" test -s stage.out
done
status emit_unknown 2 "$AOTC" small.bpf.o --emit=elf
status output_to_stdout 0 "$AOTC" small.bpf.o -o -
check output_to_stdout_is_the_image cmp out <("$AOTC" small.bpf.o -o i.so && cat i.so)
status default_name_of_a_stage 0 "$AOTC" small.bpf.o --emit=asm
check default_name_of_a_stage_has_its_ending test -s small.s
for level in 0 1 2 3 s; do status "level_$level" 0 "$AOTC" probes.bpf.o -O$level -o O$level.so; done
check level_s_is_smaller test "$(stat -c %s Os.so)" -lt "$(stat -c %s O2.so)"
status level_is_not_clamped 2 "$AOTC" small.bpf.o -O4

# Nothing is left behind on failure, also of the targets that were done before.
mkdir -p full/b.so
status failure_to_write 1 "$AOTC" small.bpf.o -t x86_64 -t aarch64 -o 'full/%a.so' -MD -MF full/b.so
check failure_to_write_leaves_nothing test "$(ls full)" = b.so
status rejected 1 "$AOTC" bad.bpf.o -o bad.so
check rejected_leaves_nothing test ! -e bad.so

# Selection.
status list 0 "$AOTC" -l mixed.bpf.o
status list_json 0 "$AOTC" --list --json mixed.bpf.o
check list_json_names_programs json out '"programs" in r[0] and "maps" in r[0]'
status program 0 "$AOTC" probes.bpf.o --program="$("$AOTC" -l probes.bpf.o | awk '$1 == "program" { print $2; exit }')" --json -o p.so
check program_takes_one json out 'len(r[0]["programs"]) == 1'
status program_unknown 1 "$AOTC" probes.bpf.o --program=nope
check program_unknown_is_said grep -q 'program-unknown' err
status section_unknown 1 "$AOTC" probes.bpf.o --section=nope
check section_unknown_is_said grep -q 'program-unknown' err

# Warnings.
status warning 0 "$AOTC" mixed.bpf.o -o m.so
check warning_is_printed grep -q 'warning: .*\[program-kind\]' err
status warning_off 0 "$AOTC" mixed.bpf.o -o m.so -Wno-program-kind
check warning_off_prints_nothing test ! -s err
status no_warnings 0 "$AOTC" mixed.bpf.o -o m.so -w
check no_warnings_prints_nothing test ! -s err
rm -f m.so
status werror 1 "$AOTC" mixed.bpf.o -o m.so -Werror
check werror_makes_an_error grep -q 'error: .*\[program-kind\]' err
status werror_code 1 "$AOTC" mixed.bpf.o -o m.so -Werror=program-kind
check werror_writes_nothing test ! -e m.so
status werror_other_code 0 "$AOTC" mixed.bpf.o -o m.so -Werror=null-deref
status werror_but_not_this 0 "$AOTC" mixed.bpf.o -o m.so -Werror -Wno-error=program-kind
status werror_and_w 0 "$AOTC" mixed.bpf.o -o m.so -Werror -w
status warnings_do_not_hide_errors 1 "$AOTC" bad.bpf.o -o m.so -w -Wno-null-deref
status warning_unknown 2 "$AOTC" mixed.bpf.o -Wprogram-knd
check warning_unknown_suggests grep -q "did you mean 'program-kind'" err

# Diagnostics as JSON, one object a line, whatever is wrong.
status json_errors 1 "$AOTC" bad.bpf.o -o m.so --error-format=json
check json_errors_are_json json err 'all({"level", "code", "verdict", "message"} <= set(d) for d in r)'
status json_usage 2 "$AOTC" --error-format=json --nonsense
check json_usage_is_json json err 'len(r) == 1 and r[0]["code"] == "usage"'
status error_limit 1 "$AOTC" --verify-only "$SCRATCH/bad.bpf.o" --error-limit=1 --error-format=json
check error_limit_stops json err 'sum(d["level"] == "error" for d in r) == 1'
status option_suggestion 2 "$AOTC" --verfy-only small.bpf.o
check option_suggestion_is_near grep -q "did you mean '--verify-only'" err
status colour_always 1 "$AOTC" bad.bpf.o -o m.so --color=always
check colour_always_is_coloured grep -q $'\x1b\[' err
NO_COLOR=1 status colour_auto 1 "$AOTC" bad.bpf.o -o m.so
check colour_auto_is_plain_in_a_file bash -c '! grep -q $'"'\x1b'"' err'

status step_limit 1 "$AOTC" probes.bpf.o --step-limit=3 -o x.so
check step_limit_is_said grep -qE '\[[a-z-]*limit\]' err
status step_limit_zero 2 "$AOTC" probes.bpf.o --step-limit=0
status no_warnings_long 0 "$AOTC" mixed.bpf.o -o m.so --no-warnings
check no_warnings_long_prints_nothing test ! -s err

# Reports.
status report 0 "$AOTC" small.bpf.o -t x86_64 -t riscv64 -o 'r-%a.so' --json --stats
check report_names_outputs json out '[o["target"] for o in r[0]["outputs"]] == ["x86_64", "riscv64"]'
check report_has_digests json out 'r[0]["outputs"][0]["sha256"] == "'"$(sha256sum r-x86_64.so | cut -d' ' -f1)"'"'
check report_has_stats json out 'all(p["stats"]["insns"] > 0 for p in r[0]["programs"])'
status report_and_stdout 2 "$AOTC" small.bpf.o --json -o -
status explain 0 "$AOTC" --explain=stack-oob
check explain_has_the_entry grep -q '^stack-oob (reject): ' out
check explain_has_one_entry bash -c '! grep -q "^### " out'
status explain_help 0 "$AOTC" --explain=help
check explain_help_has_every_code test "$(wc -l <out)" -eq "$(grep -c '^BPFAOT_CODE' "$SOURCE/support/diagnostics.def")"
unexplained=
while read -r code _; do "$AOTC" --explain="$code" | grep -q . || unexplained+=" $code"; done <out
check every_code_is_explained test -z "$unexplained"
status explain_unknown 2 "$AOTC" --explain=stack-obb
check explain_unknown_suggests grep -q "did you mean 'stack-oob'" err
status version 0 "$AOTC" --version
for word in 'bpf-aotc 0' LLVM lld libbpf ABI targets; do check "version_says_${word%% *}" grep -q "$word" out; done
status version_json 0 "$AOTC" --version --json
check version_json_is_json json out '{"version", "commit", "llvm", "lld", "libbpf", "abi", "targets", "formats"} <= set(r[0])'
status short_help 0 "$AOTC" -h
check short_help_is_short test "$(wc -l <out)" -le 17
status full_help 0 "$AOTC" --help
check full_help_is_full test "$(wc -l <out)" -gt 40
status resource_dir 0 "$AOTC" --print-resource-dir
check resource_dir_has_the_runtime test -s "$(cat out)/x86_64-unknown-linux-gnu/minirt.bc"
status resource_dir_given 0 "$AOTC" --print-resource-dir --resource-dir=/elsewhere
check resource_dir_given_is_said test "$(cat out)" = /elsewhere
status resource_missing 1 "$AOTC" small.bpf.o --resource-dir=/elsewhere -o x.so
status verbose 0 "$AOTC" small.bpf.o -v -o v.so
check verbose_names_the_output grep -q 'v\.so' err
status very_verbose 0 "$AOTC" small.bpf.o -vv -o v.so
check very_verbose_has_stages_and_link bash -c 'grep -q "^codegen " err && grep -q "^ld.lld " err'
status print_link 0 "$AOTC" small.bpf.o '-###' -o v.so
check print_link_prints grep -q '^ld.lld .* -o v.so' err
status linker_argument 0 "$AOTC" small.bpf.o -Xlinker --threads=1 -o x1.so '-###'
check linker_argument_is_passed grep -q -- '--threads=1$' err
status linker_argument_unknown 2 "$AOTC" small.bpf.o -Xlinker --no-such-thing -o x2.so
status linker_argument_that_breaks_promises 2 "$AOTC" small.bpf.o -Xlinker -rpath -Xlinker /x -o x3.so
check linker_argument_leaves_nothing test ! -e x2.so -a ! -e x3.so
status llvm_argument 0 "$AOTC" small.bpf.o -mllvm -inline-threshold=1 -o l.so
status llvm_argument_unknown 2 "$AOTC" small.bpf.o -mllvm --no-such-thing -o l.so

# Response files.
printf -- '-t aarch64\n"probes.bpf.o" -o "two words.so"\n' >args
status response_file 0 "$AOTC" @args
check response_file_is_the_command_line cmp probes-aarch64.so 'two words.so'
status response_file_missing 2 "$AOTC" @nowhere

# Dependency files.
status depfile 0 "$AOTC" probes.bpf.o -o d.so -MD
check depfile_is_beside_the_output grep -q '^d.so: ' d.d
check depfile_names_the_object grep -q '^  probes.bpf.o' d.d
check depfile_names_the_runtime grep -q '/minirt.bc' d.d
status depfile_named 0 "$AOTC" probes.bpf.o -t x86_64 -t riscv64 -o 'd-%a.so' -MD -MF dep -MT stamp
check depfile_named_has_the_target grep -q '^stamp: ' dep
printf 'd.so: ; @touch again\n-include d.d\n' >Makefile
check depfile_is_read_by_make bash -c 'touch -d 2001-01-01 d.so && make -s d.so && test -e again'
status depfile_without_md 2 "$AOTC" probes.bpf.o -MF dep

# An archive to reproduce a run: also of one that fails; unpacked elsewhere it does the same.
mkdir -p deep/er elsewhere
cp mixed.bpf.o deep/er/
status reproduce 0 "$AOTC" deep/er/mixed.bpf.o -t riscv64 -O1 -Wno-program-kind -o deep/m.so --reproduce=case.tar
check reproduce_unpacks tar -C elsewhere -xf case.tar
check reproduce_has_the_version grep -q "^$("$AOTC" --version | head -1)" elsewhere/case/version.txt
check reproduce_replays bash -c "cd elsewhere/case && '$AOTC' @response.txt"
check reproduce_gives_the_same cmp deep/m.so elsewhere/case/m.so
cp case.tar first.tar
"$AOTC" deep/er/mixed.bpf.o -t riscv64 -O1 -Wno-program-kind -o deep/m.so --reproduce=case.tar
check reproduce_is_deterministic cmp first.tar case.tar
status reproduce_of_a_failure 1 "$AOTC" bad.bpf.o -o m.so --reproduce=failure.tar
check reproduce_of_a_failure_is_written tar -tf failure.tar failure/inputs/0/bad.bpf.o
status reproduce_of_stdin 2 "$AOTC" - --reproduce=in.tar </dev/null

# Exit statuses.
status no_input 2 "$AOTC"
status missing_input 1 "$AOTC" nowhere.bpf.o
printf 'not an object' >text
status not_an_object 1 "$AOTC" text
mkfifo pipe
"$AOTC" - <pipe >out 2>err &
child=$!
exec 7>pipe
for _ in $(seq 200); do # until it reads
  grep -q '^0 ' "/proc/$child/syscall" 2>/dev/null && [ "$(cat /proc/$child/comm)" = bpf-aotc ] && break
  sleep 0.05
done
kill -SEGV $child
exec 7>&-
wait $child
check own_fault_ends_with_70 test $? -eq 70
check own_fault_says_so bash -c 'grep -q "internal error" err && grep -q -- --reproduce err'
finish
