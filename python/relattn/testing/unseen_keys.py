# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NaN and infinity in keys and values that no query sees, which must stay there.

    python -m relattn.testing.unseen_keys --pipeline relattn-to-cpu=matrix-unit=high
"""

import argparse
import shlex
import sys

import numpy as np

from relattn.jit import Module

QUERIES, KEYS, DEPTH = 300, 350, 64
PROGRAM = """func.func @attend(%q: tensor<{m}x{d}xf32>, %k: tensor<{n}x{d}xf32>, %v: tensor<{n}x{d}xf32>, %out_m: memref<{m}x{d}xf32>)
    attributes {{llvm.emit_c_interface}} {{
  %out = bufferization.to_tensor %out_m restrict writable : memref<{m}x{d}xf32> to tensor<{m}x{d}xf32>
  %offset = arith.constant 7 : index
  %0 = relattn.attention {band} ins(%q, %k, %v : tensor<{m}x{d}xf32>, tensor<{n}x{d}xf32>, tensor<{n}x{d}xf32>)
    query_offset(%offset : index) outs(%out : tensor<{m}x{d}xf32>)
  bufferization.materialize_in_destination %0 in restrict writable %out_m : (tensor<{m}x{d}xf32>, memref<{m}x{d}xf32>) -> ()
  return
}}"""
#: Bands, and the keys that they hide from all queries, which start at 7.
BANDS = {"causal": slice(QUERIES + 7, None), "band<5, *>": slice(0, 12)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes")
    args = parser.parse_args()
    pipeline = [f"--{flag}" for flag in shlex.split(args.pipeline)]
    rng = np.random.default_rng(0)
    programs, failed = 0, 0
    for band, unseen in BANDS.items():
        module = Module(PROGRAM.format(m=QUERIES, n=KEYS, d=DEPTH, band=band), pipeline)
        for of_value, number in ((False, np.nan), (True, np.nan), (True, np.inf)):
            query, key, value = (rng.standard_normal((n, DEPTH)).astype(np.float32) for n in (QUERIES, KEYS, KEYS))
            (value if of_value else key)[unseen] = number
            out = np.empty((QUERIES, DEPTH), np.float32)
            module.call("attend", query, key, value, out)
            rows = np.flatnonzero(~np.isfinite(out).all(axis=1))
            programs, failed = programs + 1, failed + bool(rows.size)
            if rows.size:
                print(f"{band}, {number} in {'values' if of_value else 'keys'}: {rows.size} queries, the first {rows[0]}")
    print(f"{programs} programs, {failed} with NaN")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
