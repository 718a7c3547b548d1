# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are all rounded alike: the largest error that parts of bf16 allow.

    python -m relattn.testing.near_ties --pipeline relattn-to-cpu=matrix-unit=medium

One key has the weight 1, all others 0.50195, half a place of a bf16 above 0.5; values
are 1, and so is the output but for that rounding.
"""

import argparse
import math
import shlex
import sys

import numpy as np

from relattn.jit import Module
from relattn.testing import tile_classes
from relattn.testing.case import Case

TOKENS, DEPTH, WEIGHT = 512, 32, 0.50195


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes")
    args = parser.parse_args()
    pipeline = [f"--{flag}" for flag in shlex.split(args.pipeline)]
    query, key = np.zeros((2, TOKENS, DEPTH), np.float32)
    query[:, 0], key[1:, 0] = 1, math.log(WEIGHT)
    case = Case(query, key, np.ones((TOKENS, DEPTH), np.float32), np.float32, ("md", "nd", "ne", "me"))
    result = case.expected()
    outputs = case.run(Module(case.function("near_ties", result), pipeline), "near_ties", result)
    ratio, message = case.check(outputs, result, **tile_classes.pair_roundings(case, args.pipeline))
    print(f"error / tolerance {ratio:.3f}: {message or 'passed'}")
    return bool(message)


if __name__ == "__main__":
    sys.exit(main())
