# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shows that Oclgrind sees what an OpenCL device may do wrong.

One attention, through every kind of tile, is right and without a complaint. Then
each of its barriers in turn is left out of the SPIR-V module: Oclgrind must report
a race.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from relattn.jit import Module, build_library, find_library
from relattn.schemes import T5
from relattn.testing.case import Case

PIPELINE = "relattn-to-gpu=target=spirv warps=1 row-tiles=1 keys=8"
#: SPIR-V's words: a module's first, OpControlBarrier (of 4), OpNop.
MAGIC, BARRIER, NOTHING = (np.uint32(word).tobytes() for word in (0x07230203, 4 << 16 | 224, 1 << 16))


def make_case():
    # Tiles of the first and the last interval and between, last keys and last
    # queries, two blocks of queries.
    rng = np.random.default_rng(5)
    make = lambda n: rng.standard_normal((1, 1, n, 8)).astype(np.float32)
    table = rng.standard_normal((8, 1)).astype(np.float32)
    return Case(query=make(24), key=make(100), value=make(100), maps=("bgmd", "bgnd", "bgne", "bgme"),
                output_dtype=np.float32, scheme=T5(8, 20, True), bias=table, query_offset=40)


def run(library):
    """Under Oclgrind."""
    case = make_case()
    result = case.expected()
    _, message = case.check(case.run(Module.load(library), "attention", result), result)
    print(message or "right")
    return bool(message)


def main():
    case = make_case()
    program = case.function("attention", case.expected())
    with tempfile.TemporaryDirectory(prefix="relattn-") as folder:
        built, broken = f"{folder}/attention.so", f"{folder}/broken.so"
        build_library(program, built, [f"--{PIPELINE}"], libraries=[find_library("relattn_opencl_runtime")])
        code = Path(built).read_bytes()
        start = code.index(MAGIC)
        barriers = [place for place in range(start, len(code) - 4, 4) if code[place:place + 4] == BARRIER]

        def execute(code):
            Path(broken).write_bytes(code)
            process = subprocess.run(
                ["oclgrind", "--data-races", "--uninitialized", sys.executable, "-m", "relattn.testing.opencl_faults", broken],
                text=True, capture_output=True, timeout=300)
            return process.stdout.strip(), process.stderr

        output, complaints = execute(code)
        print(f"as it is: {output}, {'Oclgrind complains' if complaints else 'no complaint'}")
        failures = output != "right" or bool(complaints)
        if failures:
            print(complaints[:2000])
        for i, place in enumerate(barriers):
            _, complaints = execute(code[:place] + 4 * NOTHING + code[place + 16:])
            found = re.search(r"(Read-write|Write-read|Write-write|Read|Write)[- ]?\w* data race[^\n]*", complaints, re.I)
            print(f"without barrier {i + 1}: " + (f"seen ({found[0]})" if found else "NOT SEEN"), flush=True)
            failures += not found
        failures += not barriers
    print(f"{len(barriers) + 1 - failures} passed, {failures} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]) if len(sys.argv) > 1 else main())
