#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of bench/run.sh, from what its tools wrote into a folder: text, or JSON with --json.

Counts are checked here: a figure whose probe was not hit as often as called is an error."""
import datetime
import json
import os
import platform
import re
import sys

SHAPES = ["push", "nop5", "endbr64"]
# Bars by (section, row): the most that the least figure may be.
BARS = {
    ("probes", "entry"): (8, "ns"),
    ("probes", "return"): (15, "ns"),
    ("start", "run"): (5, "ms"),
    ("attach", "total, 1 thread"): (2, "ms"),
    ("memory", "resident"): (512, "KiB"),
    ("sizes", "malloc_sizes.so"): (16, "KiB"),
    ("process", "malloc_sizes"): (25, "ms"),
    ("process", "sensor"): (25, "ms"),
    ("process", "histo"): (25, "ms"),
    ("process", "hashcnt"): (25, "ms"),
    ("process", "siphash"): (25, "ms"),
    ("process", "large"): (2000, "ms"),
}


def fail(text):
    sys.exit("bench: " + text)


def lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return [line.split() for line in file if line.strip()]


def row(section, name, unit, figure, **more):
    """`figure` is what a bar is compared with."""
    result = {"section": section, "row": name, "unit": unit, "figure": round(figure, 3), **more}
    bar = BARS.get((section, more.get("kind", name)))
    if bar:
        result["bar"] = bar[0]
        result["met"] = figure <= bar[0]
    return result


def check_counts(price, observed):
    counted = {}
    for words in observed:
        match = re.fullmatch(r"@counts\[(\d+)\]:", words[0])
        if match:
            counted[int(match[1])] = int(words[1])
        if words[0] == "events":
            counted["events", int(words[1])] = int(words[2])
        if words[0] in ("lost", "missed"):
            fail("bpf-aot says: " + " ".join(words))
    kernel = {words[1]: [int(w) for w in words[2:]] for words in price if words[0] == "kernel-count"}
    for words in price:
        if len(words) != 6 or words[1] == "plain":
            continue
        shape, kind, way, calls = words[0], words[1], words[2], int(words[3])
        number = SHAPES.index(shape)
        which = {"entry": [0], "return": [1], "both": [2, 3], "event": []}[kind]
        if way == "ours":
            hits = [counted.get(number * 4 + w, 0) for w in which] or [counted.get(("events", number), 0)]
        else:
            hits = [kernel[shape][w] for w in which] or [kernel[shape][4]]
        if any(hit != calls for hit in hits):
            fail(f"{way} {kind} on {shape}: called {calls} times, counted {hits}")


def probes(folder):
    price = lines(folder, "price.txt")
    if price is None:
        return []
    check_counts(price, lines(folder, "observed.txt"))
    figures = {(w[0], w[1], w[2]): (float(w[4]), float(w[5])) for w in price if len(w) == 6}
    rows = []
    for shape in SHAPES:
        plain = figures[shape, "plain", "plain"]
        for kind in ("entry", "return", "both", "event"):
            ours, kernel = figures[shape, kind, "ours"], figures.get((shape, kind, "kernel"))
            added = ours[0] - plain[0]
            one = row("probes", f"{kind}, {shape}", "ns", added, kind=kind, shape=shape, least=ours[0],
                      median=ours[1], plain_least=plain[0], plain_median=plain[1],
                      ratio=round(ours[1] / plain[1], 2))
            if kernel:
                one.update(kernel_least=kernel[0], kernel_median=kernel[1],
                           kernel_added=round(kernel[0] - plain[0], 2),
                           kernel_times=round((kernel[0] - plain[0]) / added, 1))
            rows.append(one)
    return rows


def pairs(folder, name):
    """{name: (least, median)} of a tool's rows."""
    return {words[0]: (float(words[1]), float(words[2])) for words in lines(folder, name) or []}


def start(folder):
    figures = pairs(folder, "start.txt")
    rows = []
    for name in ("run", "preload", "kernel"):
        if name in figures:
            alone, ours = figures["true"], figures[name]
            rows.append(row("start", name, "ms", ours[0] - alone[0], least=ours[0], median=ours[1],
                            plain_least=alone[0], plain_median=alone[1], ratio=round(ours[1] / alone[1], 2)))
    return rows


def attach(folder):
    rows = []
    for threads in (1, 8):
        figures = pairs(folder, f"attach-{threads}.txt")
        if not figures:
            continue
        label = f"{threads} thread" + ("s" if threads > 1 else "")
        for name in ("total", "pause", "pause-detach", "quiet"):
            rows.append(row("attach", f"{name}, {label}", "ms", figures[name][0], least=figures[name][0],
                            median=figures[name][1]))
    figures = pairs(folder, "attach-1.txt")
    for name in ("resident", "virtual", "maps"):
        if name in figures:
            rows.append(row("memory", name, "KiB", figures[name][1], least=figures[name][0], median=figures[name][1]))
    return rows


def sizes(folder):
    return [row("sizes", name.replace(",-", ", "), "KiB", int(size) / 1024)
            for name, size in lines(folder, "sizes.txt") or []]


def compile_time(folder):
    stages = {}
    for words in lines(folder, "compile.txt") or []:
        stages.setdefault(words[0], []).append(float(words[3]))
    rows = [row("compile", stage, "ms", min(times), least=min(times), median=sorted(times)[len(times) // 2])
            for stage, times in stages.items()]
    if rows:
        rows.append(row("compile", "all stages", "ms", sum(one["figure"] for one in rows),
                        least=sum(one["least"] for one in rows), median=sum(one["median"] for one in rows)))
    return rows


def process(folder):
    return [row("process", name, "ms", float(least), least=float(least), median=float(median), peak=float(peak))
            for name, least, median, peak in lines(folder, "process.txt") or []]


def about(folder):
    model = "unknown CPU"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    absent = {}
    for what in ("kernel", "preload"):
        reason = lines(folder, what + "-absent")
        if reason is not None:
            absent[what] = " ".join(reason[0]) if reason else "no reason was given"
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "version": " ".join((lines(folder, "version.txt") or [["unknown"]])[0]),
        "absent": absent,
    }


TITLES = {
    "probes": "Probes: nanoseconds per call; added and bars by the least of 40 rounds",
    "start": "Start of /bin/true with a probe on malloc: milliseconds, added by the least of 60",
    "attach": "Attaching to a busy process: milliseconds, the least of 20",
    "memory": "What the process has more of: KiB",
    "sizes": "Sizes: KiB",
    "compile": "bpf-aotc on malloc_sizes.bpf.o, by stage: milliseconds of processor time, the least of 5",
    "process": "bpf-aotc, the whole process: milliseconds of processor time, the least of 10; peak memory in MiB",
}


def cell(value, width, digits=2):
    return f"{value:>{width}.{digits}f}" if isinstance(value, (int, float)) else f"{'-':>{width}}"


def text(head, rows):
    out = [f"{head['version']}, {head['date']}",
           f"{head['cpu']}, {head['cores']} cores, Linux {head['kernel']}, load {head['load']}"]
    for what, why in head["absent"].items():
        out.append(f"without {what}: {why}")
    for section, title in TITLES.items():
        mine = [one for one in rows if one["section"] == section]
        if not mine:
            continue
        out += ["", title]
        probes_section = section == "probes"
        names = ["least", "median"]
        if section in ("probes", "start"):
            names = ["plain"] + names + ["added", "ratio"]
        if probes_section:
            names += ["kernel adds", "times ours"]
        if section == "sizes":
            names = ["size"]
        if section == "process":
            names = ["least", "median", "peak"]
        out.append(f"{'':<30}" + "".join(f"{name:>12}" for name in names) + "   bar")
        for one in mine:
            known = {"plain": one.get("plain_least"), "least": one.get("least"), "median": one.get("median"),
                     "added": one["figure"], "ratio": one.get("ratio"), "kernel adds": one.get("kernel_added"),
                     "times ours": one.get("kernel_times"), "size": one["figure"], "peak": one.get("peak")}
            line = f"{one['row']:<30}" + "".join(cell(known[name], 12) for name in names)
            if "bar" in one:
                line += f"   {one['bar']} {one['unit']}: {'met' if one['met'] else 'not met'}"
            out.append(line.rstrip())
    return "\n".join(out)


def main():
    folder = sys.argv[1]
    head = about(folder)
    rows = probes(folder) + start(folder) + attach(folder) + sizes(folder)
    rows += compile_time(folder) + process(folder)
    if not rows:
        fail("nothing was measured")
    if "--json" in sys.argv:
        print(json.dumps({**head, "rows": rows}, indent=1))
    else:
        print(text(head, rows))


main()
