# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables that hide keys by large numbers that are finite, down to the lowest one.

    python -m relattn.testing.hiding_tables --pipeline relattn-to-gpu=format=llvm

Keys far to one side or all are hidden. A query that sees hidden keys alone
weighs them by their scores, so that its output is no other than without; its
log-sum-exp may be any number below -2^28.
"""

import argparse
import shlex
import sys

import ml_dtypes
import numpy as np

from relattn.jit import Module
from relattn.schemes import Clip
from relattn.testing.case import Case
from relattn.testing.random_attention import gpu_library

TOKENS, DEPTH, REACH = 150, 16, 20
NUMBERS = (-1e9, np.finfo(np.float32).min)
HIDDEN = {"left": slice(0, 1), "right": slice(-1, None), "all": slice(None)}


def make_case(dtype, number, hidden):
    generator = np.random.default_rng(0)
    query, key, value = (generator.normal(size=(2, TOKENS, DEPTH)).astype(dtype) for _ in range(3))
    scheme = Clip(-REACH, REACH)
    table = generator.normal(size=(scheme.num_buckets, 2)).astype(np.float32)
    table[hidden] = number
    return Case(query, key, value, np.float32, ("gmd", "gnd", "gne", "gme"), scheme=scheme, bias=table, with_lse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes")
    pipeline = [f"--{flag}" for flag in shlex.split(parser.parse_args().pipeline)]
    names = [(dtype, number, hidden) for dtype in (np.float32, ml_dtypes.bfloat16) for number in NUMBERS for hidden in HIDDEN]
    cases = [make_case(dtype, number, HIDDEN[hidden]) for dtype, number, hidden in names]
    results = [case.expected() for case in cases]
    text = "".join(case.function(f"case_{i}", result) for i, (case, result) in enumerate(zip(cases, results)))
    module = Module(text, pipeline, libraries=gpu_library(pipeline))
    failed = 0
    for i, (name, case, result) in enumerate(zip(names, cases, results)):
        output, lse = case.run(module, f"case_{i}", result)
        is_hidden = result.lse < -(2.0**28)
        fault = "its log-sum-exp" if np.any(~(lse[is_hidden] < -(2.0**28))) else None
        lse[is_hidden] = result.lse[is_hidden]
        on_units = gpu_library(pipeline) and name[0] == ml_dtypes.bfloat16
        fault = case.check((output, lse), result, rounds_weights=bool(on_units))[1] or fault
        failed += fault is not None
        if fault:
            print(f"{np.dtype(name[0]).name} {name[1]} {name[2]}: {fault}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
