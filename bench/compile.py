#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processor time and memory of whole runs of bpf-aotc. usage: compile.py COMPILER ROUNDS OBJECT...
The objects take turns. Prints NAME LEAST MEDIAN PEAK: milliseconds, and MiB of memory at most."""
import os
import statistics
import subprocess
import sys

compiler, rounds, objects = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
times = {path: [] for path in objects}
peak = dict.fromkeys(objects, 0)
for _ in range(rounds):
    for path in objects:
        run = subprocess.Popen([compiler, path, "-o", "timed.so"])
        _, status, usage = os.wait4(run.pid, 0)
        if status != 0:
            sys.exit(f"bench: bpf-aotc fails on {path}")
        times[path].append((usage.ru_utime + usage.ru_stime) * 1e3)
        peak[path] = max(peak[path], usage.ru_maxrss / 1024)
for path in objects:
    name = os.path.basename(path).removesuffix(".bpf.o")
    print(name, round(min(times[path]), 2), round(statistics.median(times[path]), 2), round(peak[path], 1))
