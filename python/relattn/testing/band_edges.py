# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where a band ends: panels whose halves see different keys, and blocks of queries that
see few keys or none, of dynamic lengths.

    python -m relattn.testing.band_edges --pipeline relattn-to-cpu=matrix-unit=high
"""

import argparse
import shlex
import sys

import numpy as np

from relattn.jit import Module
from relattn.schemes import Clip
from relattn.testing.case import Case
from relattn.testing.random_attention import gpu_library

#: Queries, keys, band, lengths of the keys.
CASES = {
    "causal": (200, 200, (None, 0), None),
    "causal, last panel of more than half": (170, 170, (None, 0), None),
    "causal, last panel of less than a quarter": (140, 140, (None, 0), None),
    "causal, fewer keys": (200, 77, (None, 0), None),
    "hidden beyond": (200, 200, (None, -40), None),
    "hidden beyond all": (80, 100, (None, -90), None),
    "some ahead": (150, 200, (None, 33), None),
    "window": (300, 300, (-70, 0), None),
    "window that ends before an aligned block": (512, 250, (-5, 5), None),
    "window, key lengths": (512, 512, (-127, 0), [512, 129]),
}
DEPTH, REACH = 32, 20


def make_case(dtype, queries, keys, band, lengths):
    generator = np.random.default_rng(0)
    draw = lambda rows: generator.normal(size=(2, 2, rows, DEPTH)).astype(dtype)
    scheme = Clip(-REACH, REACH)
    table = generator.normal(size=(scheme.num_buckets, 2)).astype(np.float32 if dtype != np.float64 else dtype)
    return Case(draw(queries), draw(keys), draw(keys), dtype, ("bgmd", "bgnd", "bgne", "bgme"), dynamic="mn", scheme=scheme, bias=table,
                band=band, key_lengths=None if lengths is None else np.array(lengths, np.int64), with_lse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes")
    pipeline = [f"--{flag}" for flag in shlex.split(parser.parse_args().pipeline)]
    dtypes = (np.float32, np.float64)
    cases = {f"{np.dtype(dtype).name} {name}": make_case(dtype, *case) for dtype in dtypes for name, case in CASES.items()}
    text = "".join(case.function(f"case_{i}", case.expected()) for i, case in enumerate(cases.values()))
    module = Module(text, pipeline, libraries=gpu_library(pipeline))
    failed = 0
    for i, (name, case) in enumerate(cases.items()):
        expected = case.expected()
        ratio, fault = case.check(case.run(module, f"case_{i}", expected), expected)
        failed += fault is not None
        print(f"{name}: error / tolerance {ratio:.3f}: {fault or 'passed'}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
