# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn.bucket, bias_strip and bias, compiled, executed, compared exactly.

    python -m relattn.testing.bias_ops

Buckets are integers and must be equal; a table's bias must have the table's
bits; ALiBi's must be the product rounded once.
"""

import sys

import ml_dtypes
import numpy as np

from relattn.jit import Module
from relattn.schemes import T5, Alibi, Clip, Steps, Strip
from relattn.testing.case import MLIR_TYPES, accumulator, shaped

SCHEMES = [
    T5(32, 128, True), T5(32, 128), T5(8, 20, True), T5(8, 20), T5(16, 64, True), T5(16, 64),
    T5(32, 32, True), T5(32, 32), T5(64, 256, True), T5(64, 256), T5(2, 2), T5(4, 2, True),
    T5(3, 7), T5(320, 800, True), T5(4, 5), Clip(-3, 5), Clip(2, 2), Clip(-300, 300),
    Steps(4, (-20, -4, 1, 12), (2, 0, 1, 0, 2)), Steps(3, (), (2,)),
]
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
HEADS, OFFSETS = 3, np.arange(-1000, 1001)


def bucket_function(name, scheme, offset_type, id_type):
    return f"""
func.func @{name}(%in: memref<?x{offset_type}>, %out: memref<?x{id_type}>)
    attributes {{llvm.emit_c_interface}} {{
  %o = bufferization.to_tensor %in restrict : memref<?x{offset_type}> to tensor<?x{offset_type}>
  %r = relattn.bucket {scheme.attribute()} %o : tensor<?x{offset_type}> -> tensor<?x{id_type}>
  bufferization.materialize_in_destination %r in restrict writable %out
      : (tensor<?x{id_type}>, memref<?x{id_type}>) -> ()
  return
}}
"""


def bias_function(name, op, scheme, bias, out, extra=""):
    """`op` is what stands between the bias and outs(...)."""
    bias_type, out_type = shaped("tensor", bias), shaped("tensor", out)
    bias_buffer, out_buffer = shaped("memref", bias), shaped("memref", out)
    mnemonic, clauses = op
    return f"""
func.func @{name}(%b: {bias_buffer}, %zero: index{extra}, %o: {out_buffer})
    attributes {{llvm.emit_c_interface}} {{
  %bias = bufferization.to_tensor %b restrict : {bias_buffer} to {bias_type}
  %init = bufferization.to_tensor %o restrict writable : {out_buffer} to {out_type}
  %r = relattn.{mnemonic} {scheme.attribute()} ins(%bias : {bias_type}) {clauses}
      outs(%init : {out_type})
  bufferization.materialize_in_destination %r in restrict writable %o
      : ({out_type}, {out_buffer}) -> ()
  return
}}
"""


def draw_bias(rng, scheme, dtype):
    if isinstance(scheme, Alibi):
        shape = [HEADS]
    elif isinstance(scheme, Strip):
        shape = [HEADS, 11]
    else:
        shape = [scheme.num_buckets, HEADS]
    return rng.standard_normal(shape).astype(dtype)


def main():
    rng = np.random.default_rng(0)
    text, checks = [], []

    for scheme in SCHEMES:
        for offset_type, id_type in ((np.int64, np.int32), (np.int32, np.int64), (np.int16, np.int16)):
            name = f"f{len(text)}"
            text.append(
                bucket_function(name, scheme, *(f"i{np.dtype(t).itemsize * 8}"
                                                for t in (offset_type, id_type)))
            )
            offsets = OFFSETS.astype(offset_type)
            if offset_type == np.int64:
                extremes = np.array([-(2**63), -(2**31) + 1, 2**31, 2**63 - 1])
                offsets = np.concatenate([offsets, extremes])
            # |-2^63| is no int64: it saturates like its neighbour.
            expected = scheme.bucket(np.maximum(offsets.astype(np.int64), -(2**63) + 1))
            checks.append((name, [offsets], np.empty(len(offsets), id_type), expected))

    for scheme in [*SCHEMES, Alibi(), Strip()]:
        for dtype in DTYPES:
            bias = draw_bias(rng, scheme, dtype)
            out_dtype = dtype if len(text) % 2 else accumulator(dtype)
            m, n, position = 19, 23, int(rng.integers(-5, 30))
            if not isinstance(scheme, Strip):
                name, zero = f"f{len(text)}", int(rng.integers(0, 40))
                out = np.empty((HEADS, 41), out_dtype)
                text.append(bias_function(name, ("bias_strip", "zero(%zero)"), scheme, bias, out))
                values = scheme.values(bias, np.arange(41) - zero)
                checks.append((name, [bias, zero], out, values))
            name, zero = f"f{len(text)}", 4
            out = np.empty((2, HEADS, m, n), out_dtype)
            clauses = "zero(%zero) " if isinstance(scheme, Strip) else ""
            text.append(
                bias_function(name, ("bias", clauses + "query_offset(%position : index)"),
                              scheme, bias, out, ", %position: index")
            )
            offsets = np.arange(n) - np.arange(m)[:, None] - position
            values = np.broadcast_to(scheme.values(bias, offsets, zero), out.shape)
            checks.append((name, [bias, zero, position], out, values))

    module = Module("".join(text), optimize="-O1")
    failed = 0
    for name, arguments, out, expected in checks:
        module.call(name, *arguments, out)
        if out.dtype in (np.int16, np.int32, np.int64):
            wanted = expected.astype(out.dtype)
        else:
            wide = accumulator(out.dtype)
            wanted = expected.astype(wide).astype(out.dtype)
        if not np.array_equal(out, wanted):
            failed += 1
            place = np.argwhere(out != wanted)[0]
            print(f"{name}: at {place}: got {out[tuple(place)]}, expected {wanted[tuple(place)]}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
