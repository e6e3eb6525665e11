#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kernel's own verifier tests as an oracle.

Compiles tools/testing/selftests/bpf/progs/verifier_*.c and some more of the Debian package linux-source-6.12 (GPL,
so nothing of it is kept here) against the types of the running kernel, asks
`bpf-aotc --verify-only --json` about every program, and compares with the verdict that each program
is annotated with. Only program kinds with a context that exists here count. Fails if a program that
the kernel refuses is accepted, or if fewer are accepted than before. Exit status 77 is a skip.

usage: selftests.py BPF_AOTC SCRATCH_DIRECTORY
       selftests.py --compile DIRECTORY [N]    leaves the objects of all selftests there, or of the first
                                               N sources (scripts/coverage.sh)
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

ARCHIVE = "/usr/src/linux-source-6.12.tar.xz"
TREE = "linux-source-6.12"
KINDS = {"socket", "tracepoint", "tp", "raw_tp", "raw_tracepoint", "kprobe", "uprobe", "perf_event", "tc", "xdp"}
LEAST_ACCEPTED = 620  # of about 700; the rest is unsupported: tail calls, kfuncs, helpers
# The kernel refuses it for a flag of the test alone: packets are read at any alignment here.
STRICT_ALIGNMENT = {"packet_access_test17_pruning_alignment"}
# Later kernels than the tests know that a constant index of an array is never missing.
CONSTANT_INDEX = {"iter_err_too_permissive2", "iter_err_too_permissive3"}
# bpf_ktime_get_coarse_ns takes a lock in the kernel, whose holder a tracing program may interrupt.
KERNEL_LOCKS = {"in_bpf_prog_type_kprobe_1", "in_bpf_prog_type_tracepoint_1", "bpf_prog_type_perf_event_1",
                "bpf_prog_type_raw_tracepoint_1"}
FILES = ["verifier_*.c", "iters.c", "iters_looping.c", "iters_state_safety.c", "dynptr_fail.c", "user_ringbuf_fail.c",
         "exceptions_fail.c", "exceptions_assert.c"]


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def prepare(scratch):
    for tool in ("clang-19", "bpftool", "tar"):
        if shutil.which(tool) is None:
            skip(tool + " is not installed")
    if not os.path.exists(ARCHIVE):
        skip("the package linux-source-6.12 is not installed")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        skip("the running kernel has no type information")
    os.makedirs(scratch, exist_ok=True)
    parts = ["tools/testing/selftests/bpf", "tools/lib/bpf", "tools/include", "include/uapi", "scripts/bpf_doc.py"]
    subprocess.run(["tar", "-xf", ARCHIVE, "-C", scratch] + [f"{TREE}/{p}" for p in parts], check=True)
    tree = os.path.join(scratch, TREE)
    include = os.path.join(scratch, "include")
    os.makedirs(os.path.join(include, "bpf"), exist_ok=True)
    with open(os.path.join(include, "vmlinux.h"), "w") as out:
        subprocess.run(["bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"], stdout=out, check=True)
    helpers = subprocess.run([sys.executable, f"{tree}/scripts/bpf_doc.py", "--header", "--file",
                              f"{tree}/include/uapi/linux/bpf.h"], capture_output=True, text=True, check=True).stdout
    for name in ("bpf_helper_defs.h", "bpf/bpf_helper_defs.h"):
        with open(os.path.join(include, name), "w") as out:
            out.write(helpers)
    for header in ("bpf_helpers.h", "bpf_tracing.h", "bpf_core_read.h", "bpf_endian.h"):
        shutil.copy(f"{tree}/tools/lib/bpf/{header}", os.path.join(include, "bpf", header))
    return tree, include


def compile_one(source, tree, include, scratch):
    target = os.path.join(scratch, os.path.basename(source)[:-2] + ".bpf.o")
    tests = f"{tree}/tools/testing/selftests/bpf"
    command = ["clang-19", "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Wno-everything",
               "-I", include, "-I", tests, "-I", f"{tests}/progs", "-I", f"{tree}/tools/include/uapi",
               "-I", f"{tree}/tools/lib", "-I", "/usr/include/x86_64-linux-gnu", "-c", source, "-o", target]
    done = subprocess.run(command, capture_output=True)
    return target if done.returncode == 0 else None


def annotations(target):
    """Expected verdict of each function: the macros of bpf_misc.h leave declaration tags."""
    dump = subprocess.run(["bpftool", "btf", "dump", "file", target], capture_output=True, text=True).stdout
    names, verdicts = {}, {}
    for line in dump.splitlines():
        if found := re.match(r"\[(\d+)\] FUNC '(\S+)'", line):
            names[found[1]] = found[2]
        elif found := re.match(r"\[\d+\] DECL_TAG '(.*)' type_id=(\d+)", line):
            for word, verdict in (("test_expect_failure", "reject"), ("test_expect_success", "accept")):
                if found[1] == "comment:" + word:
                    verdicts[found[2]] = verdict
    return {names[i]: verdict for i, verdict in verdicts.items() if i in names}


def judge(aotc, target):
    run = subprocess.run([aotc, "--verify-only", "--json", target], capture_output=True, text=True)
    try:
        programs = json.loads(run.stdout)["programs"]
    except (ValueError, KeyError):
        return [("", "", "crash", f"status {run.returncode}")] if run.returncode not in (0, 1) else []
    return [(p["section"], p["name"], p["verdict"], p["code"]) for p in programs]


def compile_all(directory, limit=None):
    os.makedirs(directory, exist_ok=True)
    scratch = os.path.join(directory, "tree")
    tree, include = prepare(scratch)
    sources = sorted(glob.glob(f"{tree}/tools/testing/selftests/bpf/progs/*.c"))
    count = len(sources)
    sources = sources[:limit]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        made = sum(t is not None for t in pool.map(lambda s: compile_one(s, tree, include, directory), sources))
    shutil.rmtree(scratch, ignore_errors=True)
    with open(os.path.join(directory, "summary"), "w") as out:
        which = f"{count} sources" if limit is None else f"the first {len(sources)} of {count} sources, by name,"
        out.write(f"{made} of {which} compile here.")


def main():
    if sys.argv[1] == "--compile":
        return compile_all(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    aotc, scratch = sys.argv[1], sys.argv[2]
    tree, include = prepare(scratch)
    sources = sorted(s for f in FILES for s in glob.glob(f"{tree}/tools/testing/selftests/bpf/progs/{f}"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        targets = [t for t in pool.map(lambda s: compile_one(s, tree, include, scratch), sources) if t]
    counts, wrong, lost = {}, [], []
    for target in targets:
        expected = annotations(target)
        for section, name, verdict, code in judge(aotc, target):
            kind = section.lstrip("?").split("/")[0]
            if verdict != "crash" and (name not in expected or kind not in KINDS):
                continue
            key = (expected.get(name, ""), verdict)
            counts[key] = counts.get(key, 0) + 1
            where = f"{os.path.basename(target)} {name} {code}"
            if (key == ("reject", "accept") and name not in STRICT_ALIGNMENT | CONSTANT_INDEX | KERNEL_LOCKS) or verdict == "crash":
                wrong.append(where)
            if key == ("accept", "reject"):
                lost.append(where)
    print(f"{len(targets)} of {len(sources)} files compiled")
    for (kernel, ours), count in sorted(counts.items()):
        print(f"kernel {kernel:7} ours {ours:12} {count}")
    for line in lost:
        print("refused although the kernel accepts:", line)
    for line in wrong:
        print("ACCEPTED although the kernel refuses:", line)
    if not targets:
        skip("nothing compiles against the types of this kernel")
    shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(1 if wrong or counts.get(("accept", "accept"), 0) < LEAST_ACCEPTED else 0)


main()
