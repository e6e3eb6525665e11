# SPDX-License-Identifier: MIT
"""The table of bench/exec.sh, from the figures in a folder. usage: table.py FOLDER [--json]"""
import glob
import json
import math
import re
import sys

PLAIN_EACH, PLAIN_MEAN, MAPS_EACH = 1.10, 1.00, 1.10
LIKE = 0.70  # a lower ratio says that native code does something else, not the same faster


def read_counts(folder):
    """Instructions of one run by (name, side), from callgrind's dumps of 1 and of n + 1 runs."""
    totals = {}
    for path in glob.glob(f"{folder}/callgrind*"):
        text = open(path, errors="replace").read()
        label = re.search(r"^desc: Trigger: Client Request: (\S+) (\S+) (\d+)$", text, re.M)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
        if label and total:
            totals[label[1], label[2], int(label[3])] = int(total[1])
    counts = {}
    for name, side, runs in totals:
        if runs > 1 and (name, side, 1) in totals:
            counts[name, side] = (totals[name, side, runs] - totals[name, side, 1]) / (runs - 1)
    return counts


def read_rows(folder):
    counts = read_counts(folder)
    rows, empty = [], 0.0
    for line in open(f"{folder}/times.txt"):
        name, kind, ours, native, kernel = line.split()
        if name == "empty":  # what a call costs, which the kernel's figures are without
            empty = float(ours)
            continue
        row = {"program": name, "maps": kind == "maps", "ours_ns": float(ours), "native_ns": float(native),
               "kernel_ns": None if kernel == "-" else float(kernel),
               "ours_insns": counts.get((name, "ours")), "native_insns": counts.get((name, "native"))}
        row["ratio"] = row["ours_ns"] / row["native_ns"]
        row["kernel_ratio"] = row["kernel_ns"] and row["kernel_ns"] / row["native_ns"]
        row["insn_ratio"] = row["native_insns"] and row["ours_insns"] / row["native_insns"]
        row["met"] = row["ratio"] <= (MAPS_EACH if row["maps"] else PLAIN_EACH)
        if row["maps"] and row["kernel_ns"]:
            row["met"] = row["met"] and row["ours_ns"] - empty < row["kernel_ns"]
        rows.append(row)
    return rows


def mean(rows, field, least=0.0):
    values = [row[field] for row in rows if row[field] and row["ratio"] >= least]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def cell(value, width, digits=2):
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def as_text(rows):
    lines = []
    for maps, title in ((False, "without maps"), (True, "with maps")):
        part = [row for row in rows if row["maps"] == maps]
        if not part:
            continue
        lines += [f"Programs {title}: nanoseconds a run (least of all rounds), ratios to native C",
                  f"{'':12}{'native':>10}{'ours':>10}{'ratio':>8}{'kernel':>10}{'ratio':>8}"
                  f"{'native insns':>14}{'ours':>9}{'ratio':>8}  bar"]
        for row in part:
            lines.append(f"{row['program']:12}" + cell(row["native_ns"], 10) + cell(row["ours_ns"], 10) +
                         cell(row["ratio"], 8) + cell(row["kernel_ns"], 10) + cell(row["kernel_ratio"], 8) +
                         cell(row["native_insns"], 14, 0) + cell(row["ours_insns"], 9, 0) +
                         cell(row["insn_ratio"], 8) + ("  met" if row["met"] else "  not met"))
        for title, least in (("geomean", 0.0), (f">= {LIKE:.2f}", LIKE)):
            met = mean(part, "ratio", least)
            bar = "" if maps or met is None else "  met" if met <= PLAIN_MEAN else "  not met"
            lines.append(f"{title:12}{'':20}" + cell(met, 8) + " " * 10 + cell(mean(part, "kernel_ratio", least), 8) +
                         " " * 23 + cell(mean(part, "insn_ratio", least), 8) + bar)
        lines.append("")
    return "\n".join(lines)


def main():
    rows = read_rows(sys.argv[1])
    if "--json" in sys.argv:
        means = {f"{'maps' if maps else 'plain'}_{field}": mean([r for r in rows if r["maps"] == maps], field)
                 for maps in (False, True) for field in ("ratio", "kernel_ratio", "insn_ratio")}
        print(json.dumps({"programs": rows, "geomean": means}, indent=1))
    else:
        print(as_text(rows), end="")


main()
