# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Thousands of keys with one score: every tile leaves the maximum as it is, and what
a tile's factor lacked of 1 would multiply up.

The scores are 188 to 3008, whose products with log2(e) are rounded by up to 2e-4;
values are 1 in the first half of the keys and 0 in the second, so the output is 1/2
and the log-sum-exp score + log(N).
"""

import sys

import ml_dtypes
import numpy as np

from relattn.jit import Module, find_library
from relattn.testing.case import Case

KEYS, DEPTH = 4096, 16
GPU = ("--relattn-to-gpu=format=llvm",)
#: Pipeline, inputs, queries, and the error allowed: of kernels for GPUs a weight's
#: exponent is rounded by 2e-4, which sums of weights of 16 bits do not have, and sums
#: of one level round 4096 times.
PIPELINES = {
    "cpu f32": (("--relattn-to-cpu",), np.float32, 17, 2e-6),
    "cpu rows f32": (("--relattn-to-cpu",), np.float32, 4, 2e-6),
    "gpu mma bf16": (GPU, ml_dtypes.bfloat16, 17, 2e-4),
    "gpu simt f32": (GPU, np.float32, 17, 5e-5),
}


def make_case(dtype, queries):
    factors = np.array([1.46875, 2.9375, 5.875, 7.03125, 11.75, 13.4375, 17.625, 23.5])
    ones = np.ones((len(factors), queries, DEPTH))
    values = np.zeros((len(factors), KEYS, DEPTH))
    values[:, : KEYS // 2] = 1
    return Case(query=(8 * ones).astype(dtype), key=np.broadcast_to(factors[:, None, None], values.shape).astype(dtype),
                value=values.astype(dtype), maps=("gmd", "gnd", "gne", "gme"), output_dtype=np.float32, with_lse=True)


def main():
    failed = 0
    for name, (pipeline, dtype, queries, allowed) in PIPELINES.items():
        libraries = [find_library("relattn_nvptx_emulator")] if pipeline is GPU else []
        case = make_case(dtype, queries)
        expected = case.expected()
        module = Module(case.function("attention", expected), pipeline=pipeline, libraries=libraries)
        outputs = case.run(module, "attention", expected)
        errors = [float(np.max(np.abs(x.astype(np.float64) - y) / np.maximum(np.abs(y), 1))) for x, y in zip(outputs, (expected.output, expected.lse))]
        print(f"{name}: error of the output {errors[0]:.1e}, of the log-sum-exp {errors[1]:.1e}")
        failed += not max(errors) < allowed
    print(f"{len(PIPELINES) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
