#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases from Hugging Face transformers 4.57 (mask pre-added to the
bias, softmax of scores.float()).  Run with that version first on PYTHONPATH."""
import torch
import torch.nn as nn
import transformers
assert transformers.__version__.startswith("4."), transformers.__version__
from corpus_lib import *
from models import *
HF4 = "Hugging Face transformers 4 via torch-mlir"
DT = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def encoder_case(name, module, x, elem="f32", extra=(), fn=None, **meta):
    module = module.to(DT[elem])
    args = [arg(x, elem, U(), "hidden")] + list(extra) + weight_args(module, elem)
    torch_case(name, functional(module, fn), args, source=HF4, **meta)


def att(bias=True, **kw):
    from transformers.models.t5.modeling_t5 import T5Attention
    return T5Attention(t5_config("eager", **kw), has_relative_attention_bias=bias, layer_idx=0).eval()


first = lambda m, x: m(x, cache_position=torch.arange(x.shape[1]))[0]
encoder_case("hf4-t5-padding-f16", att(), (2, 32, 32), "f16",
             fn=lambda m, x, k: m(x, mask=k, cache_position=torch.arange(x.shape[1]))[0],
             extra=[arg((2, 1, 1, 32), "f16", PREFIX([32, 19], 0.0, -65504.0), "mask")],
             ops=1, bucket=T5(), scale=1.0, variants="V10 V14 V16 V17",
             what="transformers 4: padding mask added to the bias first, f16 scores, softmax "
                  "of scores.float() cast back to f16")
encoder_case("hf4-t5-causal-padding-f32", att(is_decoder=True), (2, 32, 32), "f32",
             fn=lambda m, x, k: m(x, mask=k, cache_position=torch.arange(x.shape[1]))[0],
             extra=[arg((2, 1, 32, 32), "f32", CAUSAL(0.0, -3.4028234e38), "mask")],
             ops=1, bucket=T5(False), scale=1.0, variants="V10 V14 V16",
             what="transformers 4 decoder self-attention, mask [b,1,q,k] pre-added to the bias")
