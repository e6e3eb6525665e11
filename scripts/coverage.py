#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The part of coverage.sh that runs bpf-aotc and makes the tables.

usage: coverage.py all|--tools|--check BPF_AOTC OBJECT_FOLDER PAGE
"""
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import tempfile

MACHINES = ("x86_64", "aarch64", "riscv64")
MACHINE_CODES = {"ctx-no-counterpart", "ctx-arch-unknown", "lowering"}  # found after the verifier
TIMEOUT = 300  # a hang is a fault, a loaded machine is not
SETS = (("libbpf-tools", "Debian's libbpf-tools"),
        ("bpftrace", "tools of bpftrace 0.17, by `bpftrace --emit-elf`"),
        ("selftests", "the kernel's selftests (Linux 6.12, `tools/testing/selftests/bpf/progs`)"))
MODE, AOTC, FOLDER, PAGE = sys.argv[1:5]


class Fault(Exception):
    """What must never happen: a crash, a hang, an internal error, a refusal without a code."""


def run(arguments):
    """Exit status, report and diagnostics of one run."""
    try:
        done = subprocess.run([AOTC, "--error-format=json", "--error-limit=0"] + arguments,
                              capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Fault("not finished after %d s" % TIMEOUT)
    if done.returncode not in (0, 1):
        raise Fault("status %d: %s" % (done.returncode, done.stderr.decode(errors="replace")[-300:].strip()))
    diagnostics = []
    for line in done.stderr.decode(errors="replace").splitlines():
        try:
            diagnostics.append(json.loads(line))
        except ValueError:
            raise Fault("not a diagnostic: " + line[:200])
    if done.returncode == 1 and not any(d["level"] == "error" for d in diagnostics) and "--verify-only" not in arguments:
        raise Fault("refused without a reason")
    return done.returncode, done.stdout, diagnostics


def compile_for(path, machines, extra, scratch):
    """The codes of the refusal, none when it compiles."""
    arguments = [path, "-o", os.path.join(scratch, "%a.so"), "-w"] + extra
    for machine in machines:
        arguments += ["-t", machine]
    status, _, diagnostics = run(arguments)
    return [] if status == 0 else sorted({d["code"] for d in diagnostics if d["level"] == "error"})


def examine(path, machines):
    """Verdicts of the programs and what compiling gives, as a dictionary; "fault" when it is one."""
    result = {"name": os.path.basename(path)[:-len(".bpf.o")], "programs": [], "refused": {}, "fault": None}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _, report, diagnostics = run(["--verify-only", "--json", path])
            if report:
                result["programs"] = [(p["name"], p["verdict"], p["code"]) for p in json.loads(report)["programs"]]
            else:
                result["programs"] = [("", "reject", d["code"]) for d in diagnostics if d["level"] == "error"]
            codes = compile_for(path, machines, [], scratch)
            if codes and not MACHINE_CODES.intersection(codes):
                result["refused"] = {machine: codes for machine in machines}
            elif codes:  # is it the same on every machine?
                for machine in machines:
                    alone = compile_for(path, [machine], [], scratch)
                    if alone:
                        result["refused"][machine] = alone
            # What is accepted must still go through the rest of the compiler.
            accepted = [n for n, verdict, _ in result["programs"] if verdict == "accept"]
            if codes and accepted:
                compile_for(path, machines, ["--program=" + n for n in accepted], scratch)
        except Fault as fault:
            result["fault"] = str(fault)
    return result


def outcome(result, machines):
    """One cell of the table, the same for every choice of machines unless it depends on them."""
    if result["fault"]:
        return "FAULT: " + result["fault"]
    refused = result["refused"]
    if refused:
        where = "" if len(refused) == len(machines) else " for " + ", ".join(sorted(refused))
        return "refused" + where + ": " + ", ".join(sorted({"`%s`" % c for codes in refused.values() for c in codes}))
    left_out = sorted({code for _, verdict, code in result["programs"] if verdict != "accept"})
    count = sum(verdict == "accept" for _, verdict, _ in result["programs"])
    if not left_out:
        return "compiled, %d program%s" % (count, "" if count == 1 else "s")
    return "compiled, %d of %d programs; left out: %s" % (count, len(result["programs"]), ", ".join("`%s`" % c for c in left_out))


def sweep(name, choose):
    paths = sorted(glob.glob(os.path.join(FOLDER, name, "*.bpf.o")))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda item: examine(item[1], choose(item[0])), enumerate(paths)))


def count_rows(counts, head):
    lines = ["| %s | |" % head, "|---|---:|"]
    return lines + ["| %s | %d |" % row for row in sorted(counts.items(), key=lambda r: (-r[1], r[0]))]


def tables(results):
    compiled = [r for r in results if not r["refused"] and not r["fault"]]
    programs = [p for r in results for p in r["programs"]]
    accepted = sum(verdict == "accept" for _, verdict, _ in programs)
    lines = ["%d objects: %d compiled for all machines, %d refused, %d faults. %d programs: %d accepted." %
             (len(results), len(compiled), len(results) - len(compiled) - sum(r["fault"] is not None for r in results),
              sum(r["fault"] is not None for r in results), len(programs), accepted), ""]
    codes, objects = {}, {}
    for result in results:
        for _, verdict, code in result["programs"]:
            if verdict != "accept":
                codes["`%s`" % code] = codes.get("`%s`" % code, 0) + 1
        for code in {c for codes_of in result["refused"].values() for c in codes_of}:
            objects["`%s`" % code] = objects.get("`%s`" % code, 0) + 1
    lines += count_rows(codes, "programs not accepted, by reason") + [""]
    return lines + count_rows(objects, "objects refused, by reason (one may have several)") + [""]


def tool_rows(results):
    return ["| `%s` | %s |" % (r["name"], outcome(r, MACHINES)) for r in results]


def check():
    """Each tool on one machine; its row must be the one in the page."""
    with open(PAGE) as page:
        table = page.read().split("| object | |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    rows = {line.split("`")[1]: line for line in table.splitlines()}
    results = sweep("libbpf-tools", lambda i: (MACHINES[i % 3],))
    wrong = 0
    for i, result in enumerate(results):
        machine = (MACHINES[i % 3],)
        got, wanted = "| `%s` | %s |" % (result["name"], outcome(result, machine)), rows.get(result["name"], "no row")
        depends_on_machine = "refused for" in wanted and not result["fault"]
        if got != wanted and not depends_on_machine:
            wrong += 1
            print("%s on %s:\n  page: %s\n  now:  %s" % (result["name"], machine[0], wanted, got))
    print("%d objects, %d differ from %s" % (len(results), wrong, os.path.basename(PAGE)))
    if not results:
        sys.exit(77)
    sys.exit(wrong != 0)


HEAD = """<!-- SPDX-License-Identifier: MIT -->
# What becomes of real objects

Made by `scripts/coverage.sh`, which runs every object through `bpf-aotc` for x86_64, aarch64 and riscv64.
An object is compiled for all three, or refused with a code of [diagnostics.md](diagnostics.md). A crash,
a hang or an abort would be a fault. Of objects that are refused as a whole, the programs that are
accepted are compiled by themselves. Nothing is given but the object: no `--btf`. A test compares the
table of libbpf-tools with what is true; `scripts/coverage.sh --tools` makes that part anew.
"""


def section(name, title, results):
    lines = ["## " + title[0].upper() + title[1:], ""]
    if os.path.exists(os.path.join(FOLDER, name, "summary")):
        with open(os.path.join(FOLDER, name, "summary")) as summary:
            lines += [summary.read().strip(), ""]
    lines += tables(results)
    if name != "selftests":
        lines += ["| object | |", "|---|---|"] + tool_rows(results) + [""]
    return "\n".join(lines)


def main():
    if MODE == "--check":
        check()
    try:  # what is not examined in this run stays
        with open(PAGE) as page:
            kept = {part.split("\n", 1)[0]: "## " + part for part in page.read().split("\n## ")[1:]}
    except FileNotFoundError:
        kept = {}
    faults, sections = [], []
    for name, title in SETS:
        results = sweep(name, lambda i: MACHINES) if MODE == "all" or name == "libbpf-tools" else []
        faults += [(name, r["name"], r["fault"]) for r in results if r["fault"]]
        text = section(name, title, results) if results else kept.get(title[0].upper() + title[1:], "")
        if text:
            sections.append(text.rstrip() + "\n")
            print(text)
    with open(PAGE, "w") as page:
        page.write("\n".join([HEAD] + sections))
    for fault in faults:
        print("FAULT %s/%s: %s" % fault)
    sys.exit(1 if faults else 0)


main()
