#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases derived from exported ones.  Run after the other exporters."""
import corpus_lib
_only = corpus_lib.ONLY
corpus_lib.ONLY = "^$"
from export_torch import *
corpus_lib.ONLY = _only
from tosa_lib import back_end_case
from derived_lib import *

back_end_case("stablehlo-sdpa-bias-f32", Fn(lambda q, k, v, b: F.scaled_dot_product_attention(q, k, v, attn_mask=b, scale=1.0)),
              QKV + [arg((1, 4, 32, 32), "f32", U(-2, 2), "bias")], "stablehlo", source="PyTorch via torch-mlir StableHLO",
              ops=1, bucket=None, scale=1.0, variants="V13 safe-softmax", what="sdpa with bias argument through StableHLO")
derived("hf-t5-eager-f32", "fused", FUSE, FU)
derived("onnx-t5-padding-f32", "generalized-fused", GENERAL, "generalisation and elementwise fusion (upstream): matmuls are generics")
