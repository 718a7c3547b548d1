#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases from ONNX graphs.  pip: onnx, onnxruntime (reference numbers),
torch-mlir, numpy; mlir-opt 22 on PATH."""
from onnx_lib import *


def qkv(b, hd, q, k, d, elem="f32"):
    return [arg((b, hd, q, d), elem, role="query"),
            arg((b, hd, k, d), elem, role="key"),
            arg((b, hd, k, d), elem, role="value")]


def declare(args, names):
    return [(n, a["shape"], a["elem"]) for n, a in zip(names, args)]


# Encoder, padding mask (1 - mask) * lowest as a float argument path.
g = Graph()
ids = bucket_chain(g, 32, 32)
rel = bias(g, "table", ids)
mask = g.Unsqueeze("mask", g.const([1, 2], np.int64))
mask = g.Mul(g.Sub(g.const(1.0), g.Cast(mask, to=T.FLOAT)),
             g.const(-3.4028234663852886e38))
s = g.MatMul("query", g.Transpose("key", perm=[0, 1, 3, 2]))
p = g.Softmax(g.Add(s, g.Add(rel, mask)), axis=-1)
g.MatMul(p, "value")
args = qkv(2, 2, 32, 32, 16) + [arg((32, 2), "f32", U(-2, 2), "table"),
                                arg((2, 32), "i64", PREFIX([32, 20]), "mask")]
onnx_case("onnx-t5-padding-f32",
          g.model(declare(args, ["query", "key", "value", "table", "mask"]),
                  "out", [2, 2, 32, 16], "f32"), args, ops=1, bucket=T5(),
          scale=1.0, variants="V10 V14 V15 V16",
          what="ONNX: Range/Sub/Abs/Log/Min/Where/Gather chain, mask "
               "(1 - mask) * lowest added to the bias first")

# Decoder step: one query after 31 keys, past keys concatenated.
g = Graph()
ids = bucket_chain(g, 32, 32, bidirectional=False)
rel = bias(g, "table", ids)
rel = g.Slice(rel, g.const([31], np.int64), g.const([32], np.int64),
              g.const([2], np.int64))
key = g.Concat("past_key", "key", axis=2)
value = g.Concat("past_value", "value", axis=2)
s = g.MatMul("query", g.Transpose(key, perm=[0, 1, 3, 2]))
p = g.Softmax(g.Add(s, rel), axis=-1)
g.MatMul(p, value)
args = qkv(2, 2, 1, 1, 16) + [arg((2, 2, 31, 16), role="past_key"),
                              arg((2, 2, 31, 16), role="past_value"),
                              arg((32, 2), "f32", U(-2, 2), "table")]
onnx_case("onnx-t5-decode-past-f32",
          g.model(declare(args, ["query", "key", "value", "past_key",
                                 "past_value", "table"]), "out",
                  [2, 2, 1, 16], "f32"), args, ops=1, bucket=T5(False),
          scale=1.0, variants="V13 V14 V27",
          what="ONNX decode step: past keys and values concatenated, last row "
               "of a one-sided bias sliced out")
