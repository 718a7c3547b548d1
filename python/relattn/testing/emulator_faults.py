# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shows that the NVPTX emulator sees what a GPU would do wrong.

One attention, through every kind of tile, is right in each order of threads that
the emulator has. Then it is broken, in one place at a time (a barrier left out or
reached by some threads alone, a wait left out, shared memory too small, a vote
that is always no): each fault must be seen, as a wrong number or as an error, in
at least one order.
"""

import os
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

from relattn.jit import Module, build_library, find_library
from relattn.schemes import T5
from relattn.testing.case import Case

ORDERS = ["", "reverse", "eager,greedy", "eager,greedy,reverse"]


#: Schedule -> options of relattn-to-gpu; simt with copies by cp.async, and by loads
#: and stores.
SCHEDULES = {"mma": "warps=2 row-tiles=2 keys=32", "simt": "warps=1 row-tiles=1 keys=16",
             "simt sm_70": "chip=sm_70 warps=1 row-tiles=1 keys=16"}


def make_case(schedule):
    # Low, band and high tiles, last keys and last queries, two blocks of queries; a
    # row shared by two threads; and a batch without keys, where copies of queries are
    # under way to the end.
    rng = np.random.default_rng(5)
    depth, dtype = (32, ml_dtypes.bfloat16) if schedule == "mma" else (72, np.float32)
    make = lambda n: rng.standard_normal((2, 1, n, depth)).astype(dtype)
    table = rng.standard_normal((8, 1)).astype(np.float32)
    return Case(query=make(88), key=make(216), value=make(216), maps=("bgmd", "bgnd", "bgne", "bgme"),
                output_dtype=np.float32, scheme=T5(8, 20, True), bias=table, key_lengths=np.array([216, 0], np.int32))


def run(schedule, library):
    """In a process of its own: a fault ends it."""
    case = make_case(schedule)
    result = case.expected()
    _, message = case.check(case.run(Module.load(library), "attention", result), result, rounds_weights=schedule == "mma")
    print(message or "right")
    return bool(message)


def check(schedule):
    """(Passed, failed) of one schedule."""
    case = make_case(schedule)
    with tempfile.TemporaryDirectory(prefix="relattn-") as folder:
        library = f"{folder}/attention.so"
        build_library(case.function("attention", case.expected()), library,
                      [f"--relattn-to-gpu=format=llvm {SCHEDULES[schedule]}"],
                      libraries=[find_library("relattn_nvptx_emulator")])

        def execute(words):
            process = subprocess.run([sys.executable, "-m", "relattn.testing.emulator_faults", schedule, library], text=True,
                                     capture_output=True, env={**os.environ, "RELATTN_EMULATOR": words}, timeout=300)
            lines = (process.stdout + process.stderr).strip().splitlines()
            return process.returncode, "\n".join(lines)

        failures = 0
        for order in ORDERS:
            status, text = execute(order)
            print(f"{schedule} in order '{order}': {text}")
            failures += status != 0
        _, text = execute("count")
        barriers, waits = (int(x) for x in re.findall(r"(\d+) barriers, (\d+) waits", text)[-1])
        faults = [f"fault-{what}={i}" for what, count in (("barrier", barriers), ("diverge", barriers), ("wait", waits))
                  for i in range(1, count + 1)] + ["fault-shared"] + ["fault-vote"] * (schedule == "mma")
        for fault in faults:
            seen = next(((order, text) for order in ORDERS for status, text in [execute(f"{order},{fault}")] if status), None)
            print(f"{schedule} {fault}: " + (f"seen in order '{seen[0]}': {seen[1].splitlines()[-1][:110]}" if seen else "NOT SEEN"), flush=True)
            failures += not seen
    return len(faults) + len(ORDERS) - failures, failures


def main():
    counts = [check(schedule) for schedule in SCHEDULES]
    print(f"{sum(c[0] for c in counts)} passed, {sum(c[1] for c in counts)} failed")
    return any(c[1] for c in counts)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if len(sys.argv) > 1 else main())
