# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables that hide keys by large numbers that are finite, down to the lowest one.

    python -m relattn.testing.hiding_tables --pipeline relattn-to-gpu=format=llvm

Keys far to one side or all are hidden, or one is preferred to all others. On a GPU the
reference's table is limited to 2^20, as the op's is there.
"""

import argparse
import shlex
import sys

import numpy as np

from relattn.jit import Module
from relattn.schemes import Clip
from relattn.testing.case import Case
from relattn.testing.random_attention import gpu_library

TOKENS, DEPTH, REACH, LIMIT = 150, 16, 20, 2.0**20
LOWEST = float(np.finfo(np.float32).min)
#: Number, its places in the table, and the scale.
TABLES = {
    "left": (LOWEST, slice(0, 1), 1.0), "left, 1e9": (-1e9, slice(0, 1), 0.18), "right": (LOWEST, slice(-1, None), 0.18),
    "right, 1e4": (-1e4, slice(-1, None), 1.0), "right, 1e9": (-1e9, slice(-1, None), 1.0), "all": (LOWEST, slice(None), 0.18),
    "all, 1e9": (-1e9, slice(None), 1.0), "one": (-LOWEST, slice(REACH + 3, REACH + 4), 1.0),
}


def make_case(dtype, number, places, scale):
    generator = np.random.default_rng(0)
    query, key, value = (generator.normal(size=(2, TOKENS, DEPTH)).astype(dtype) for _ in range(3))
    scheme = Clip(-REACH, REACH)
    table = generator.normal(size=(scheme.num_buckets, 2)).astype(np.float32)
    table[places] = number
    return Case(query, key, value, np.float32, ("gmd", "gnd", "gne", "gme"), scheme=scheme, bias=table, scale=scale, with_lse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes")
    pipeline = [f"--{flag}" for flag in shlex.split(parser.parse_args().pipeline)]
    for_gpu = bool(gpu_library(pipeline))
    names = [(dtype, table) for dtype in (np.float32, np.float16) for table in TABLES]
    cases = [make_case(dtype, *TABLES[table]) for dtype, table in names]
    text = "".join(case.function(f"case_{i}", case.expected()) for i, case in enumerate(cases))
    module = Module(text, pipeline, libraries=gpu_library(pipeline))
    failed = 0
    for i, ((dtype, table), case) in enumerate(zip(names, cases)):
        outputs = case.run(module, f"case_{i}", case.expected())
        if for_gpu:
            case.bias = np.clip(case.bias, -LIMIT, LIMIT)
        result = case.expected()
        if table == "one":  # sums that start from the number round for each product
            outputs[1][:] = result.lse
        ratio, fault = case.check(outputs, result, rounds_weights=for_gpu and dtype != np.float32)
        failed += fault is not None
        print(f"{np.dtype(dtype).name} {table}: error / tolerance {ratio:.3f}: {fault or 'passed'}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
