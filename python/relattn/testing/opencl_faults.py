# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shows that Oclgrind sees what an OpenCL device may do wrong.

One attention, through every kind of tile, is right and without a complaint. Then
each of its barriers in turn is left out of the SPIR-V module: Oclgrind must report
a race.
"""

import os
import re
import subprocess
import sys
import tempfile

import numpy as np

from relattn.jit import Module, build_library, find_library, find_tool
from relattn.schemes import T5
from relattn.testing.case import Case

PIPELINE = "relattn-to-gpu=target=spirv warps=1 row-tiles=1 keys=8"
CONVERSION = "relattn-convert-kernels-to-spirv"
BARRIER = "spirv.ControlBarrier"
#: What the pipeline does behind the conversion.
REST = (
    "builtin.module(gpu.module(spirv.module(spirv-lower-abi-attrs,spirv-update-vce)),func.func(gpu-async-region),"
    "gpu-module-to-binary{format=bin},convert-scf-to-cf,convert-func-to-llvm,expand-strided-metadata,lower-affine,"
    "convert-arith-to-llvm,convert-index-to-llvm,gpu-to-llvm,canonicalize,reconcile-unrealized-casts)"
)


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
        process = subprocess.run(
            [find_tool("relattn-opt"), f"--{PIPELINE}", f"--mlir-print-ir-after={CONVERSION}", "-o", os.devnull],
            input=program, text=True, capture_output=True, check=True)
        text = process.stderr[process.stderr.index("\nmodule"):]
        barriers = [match.start() for match in re.finditer(BARRIER, text)]

        def execute(text):
            library = f"{folder}/attention.so"
            build_library(text, library, [f"--pass-pipeline={REST}"], libraries=[find_library("relattn_opencl_runtime")])
            process = subprocess.run(
                ["oclgrind", "--data-races", "--uninitialized", sys.executable, "-m", "relattn.testing.opencl_faults", library],
                text=True, capture_output=True, timeout=300)
            return process.stdout.strip(), process.stderr

        output, complaints = execute(text)
        print(f"as it is: {output}, {'Oclgrind complains' if complaints else 'no complaint'}")
        failures = output != "right" or bool(complaints)
        if failures:
            print(complaints[:2000])
        for i, place in enumerate(barriers):
            line_start, line_end = text.rindex("\n", 0, place), text.index("\n", place)
            _, complaints = execute(text[:line_start] + text[line_end:])
            found = re.search(r"(Read-write|Write-read|Write-write|Read|Write)[- ]?\w* data race[^\n]*", complaints, re.I)
            print(f"without barrier {i + 1}: " + (f"seen ({found[0]})" if found else "NOT SEEN"), flush=True)
            failures += not found
    print(f"{len(barriers) + 1 - failures} passed, {failures} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]) if len(sys.argv) > 1 else main())
