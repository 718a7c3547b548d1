#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases from PyTorch and Hugging Face through torch-mlir's FX importer.

pip: torch, torch-mlir, transformers (5.x), numpy; mlir-opt 22 on PATH.
Weights are function arguments, so no case holds a large constant.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from corpus_lib import *
from models import *

SRC = "PyTorch via torch-mlir"
HF = "Hugging Face transformers 5 via torch-mlir"


def t5_attention(impl, bias=True, **kw):
    from transformers.models.t5.modeling_t5 import T5Attention
    c = t5_config(impl, **kw)
    return T5Attention(c, has_relative_attention_bias=bias, layer_idx=0,
                       is_causal=c.is_decoder).eval()


def encoder_case(name, module, x, elem="f32", extra=(), fn=None, **meta):
    module = module.to({"f32": torch.float32, "f16": torch.float16,
                        "bf16": torch.bfloat16}[elem])
    args = [arg(x, elem, U(), "hidden")] + list(extra)
    args += weight_args(module, elem)
    torch_case(name, functional(module, fn), args, **meta)


def first(m, *a):
    return m(*a)[0]


# T5 ---------------------------------------------------------------------
encoder_case("hf-t5-eager-f32", t5_attention("eager"), (2, 48, 32), fn=first,
             source=HF, ops=1, bucket=T5(), scale=1.0, variants="V6 V9 V14 V18",
             what="T5Attention with projections, bidirectional buckets, "
                  "no mask")
encoder_case("hf-t5-eager-f16", t5_attention("eager"), (2, 32, 32), "f16",
             fn=first, source=HF, ops=1, bucket=T5(), scale=1.0,
             variants="V6 V14 V17",
             what="the same in half precision: every matmul accumulates in "
                  "f32, softmax statistics in f32")
encoder_case("hf-t5-eager-causal-f32", t5_attention("eager", is_decoder=True),
             (1, 96, 32), fn=lambda m, x, k: m(x, mask=k)[0],
             extra=[arg((1, 1, 96, 96), "f32", CAUSAL(0.0, -3.4028234e38),
                        "mask")],
             source=HF, ops=1, bucket=T5(False), scale=1.0,
             variants="V10 V14 V15",
             what="decoder self-attention: one-sided buckets, additive causal "
                  "mask of the type's lowest value as an argument")
encoder_case("hf-t5-sdpa-padding-f32", t5_attention("sdpa"), (2, 48, 32),
             fn=lambda m, x, k: m(x, mask=k)[0],
             extra=[arg((2, 1, 48, 48), "i1", PREFIX([48, 30]), "mask")],
             source=HF, ops=1, bucket=T5(), scale=1.0, variants="V10 V15 V16",
             what="sdpa path: bool mask and bias merged by "
                  "where(mask, bias, lowest) before scores are formed")


def t5_encoder():
    from transformers import T5EncoderModel
    return T5EncoderModel(t5_config("eager")).eval()


def unique_weights(module):
    seen, out = set(), []
    for n, p in module.named_parameters():
        if id(p) not in seen:
            seen.add(id(p))
            out.append((n, p))
    return out


m = t5_encoder()
torch_case("hf-t5-encoder-2-layers-f32",
           functional(m, lambda m, i, k: m(input_ids=i, attention_mask=k)[0]),
           [arg((2, 24), "i64", INT(0, 64), "ids"),
            arg((2, 24), "i64", PREFIX([24, 17]), "mask")] + weight_args(m),
           source=HF, ops=2, bucket=T5(), scale=1.0,
           variants="V10 V14 V16",
           what="whole T5EncoderModel, token ids and padding mask in; the "
                "second layer uses the first layer's bias value",
           notes="one bucket chain and one table serve both attentions")


def t5_dynamic():
    m = t5_attention("eager")
    seq = torch.export.Dim("seq", min=2, max=512)
    args = [arg((2, 40, 32), "f32", U(), "hidden")] + weight_args(m)
    torch_case("hf-t5-eager-dynamic-length-f32", functional(m, first), args,
               dynamic=(tuple([{1: seq}] + [None] * (len(args) - 1)),),
               source=HF, ops=1, bucket=T5(), scale=1.0,
               variants="V14 V22 dynamic",
               what="T5Attention with a dynamic sequence length")


t5_dynamic()


def mpnet():
    from transformers.models.mpnet.modeling_mpnet import (MPNetSelfAttention,
                                                          MPNetEncoder)
    from transformers import MPNetConfig
    c = MPNetConfig(hidden_size=32, num_attention_heads=2, num_hidden_layers=1,
                    intermediate_size=64, vocab_size=64,
                    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = MPNetSelfAttention(c)
            self.relative_attention_bias = nn.Embedding(32, 2)

        def forward(self, x):
            b = MPNetEncoder.compute_position_bias(self, x)
            return self.attention(x, position_bias=b)[0]
    Block.relative_position_bucket = staticmethod(
        MPNetEncoder.relative_position_bucket)
    return Block().eval()


encoder_case("hf-mpnet-f32", mpnet(), (2, 32, 32), source=HF, ops=1,
             bucket=T5(), scale=0.25, variants="V4 V7 V13 V14",
             what="MPNet: T5 buckets on -(j-i), scores divided by sqrt(d) "
                  "before the bias, bias expanded over the batch")


# Plain PyTorch ------------------------------------------------------------
QKV = [arg((2, 4, 32, 16), role="query"), arg((2, 4, 32, 16), role="key"),
       arg((2, 4, 32, 16), role="value")]
TABLE = arg((32, 4), "f32", U(-2, 2), "table")

torch_case("torch-sdpa-bias-argument-f32",
           Fn(lambda q, k, v, b: F.scaled_dot_product_attention(
               q, k, v, attn_mask=b, scale=1.0)),
           QKV + [arg((1, 4, 32, 32), "f32", U(-2, 2), "bias")],
           source=SRC, ops=1, bucket=None, scale=1.0, variants="V13 V14",
           what="scaled_dot_product_attention, scale 1, the bias is an "
                "argument")


def bshd(q, k, v, table):
    s = torch.einsum("bqhd,bkhd->bhqk", q, k)
    s = s + t5_bias(table, q.shape[1], k.shape[1])
    return torch.einsum("bhqk,bkhd->bqhd", s.softmax(-1), v)


torch_case("torch-einsum-bshd-f32", Fn(bshd),
           [arg((2, 40, 2, 16), role="query"), arg((2, 56, 2, 16), role="key"),
            arg((2, 56, 2, 16), role="value"),
            arg((32, 2), "f32", U(-2, 2), "table")],
           source=SRC, ops=1, bucket=T5(), scale=1.0, variants="V14 V21",
           what="einsum in [batch, sequence, head, depth] layout, query and "
                "key lengths differ")


def folded(q, k, v, table):
    b = torch.tensor(t5_bucket(rel_positions(24, 24)).tolist())
    bias = F.embedding(b, table).permute(2, 0, 1).unsqueeze(0)
    return (q @ k.transpose(2, 3) + bias).softmax(-1) @ v


B24 = t5_bucket(rel_positions(24, 24))


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("buckets", B24)

    def forward(self, q, k, v, table):
        bias = F.embedding(self.buckets, table).permute(2, 0, 1).unsqueeze(0)
        return (q @ k.transpose(2, 3) + bias).softmax(-1) @ v


torch_case("torch-folded-buckets-f32", Folded(),
           [arg((1, 2, 24, 8), role="query"), arg((1, 2, 24, 8), role="key"),
            arg((1, 2, 24, 8), role="value"),
            arg((32, 2), "f32", U(-2, 2), "table")],
           source=SRC, ops=1, bucket=T5(recover="folded"), scale=1.0,
           variants="V14",
           what="the bucket ids are a constant [24,24] i64 tensor",
           notes="24 positions do not fix max_distance: any (32, m) with the "
                 "same ids up to distance 23 is right")


def gqa(q, k, v, table):
    k = k[:, :, None].expand(2, 2, 2, 32, 16).reshape(2, 4, 32, 16)
    v = v[:, :, None].expand(2, 2, 2, 32, 16).reshape(2, 4, 32, 16)
    s = q @ k.transpose(2, 3) + t5_bias(table, 32, 32)
    return s.softmax(-1) @ v


torch_case("torch-gqa-f32", Fn(gqa),
           [arg((2, 4, 32, 16), role="query"), arg((2, 2, 32, 16), role="key"),
            arg((2, 2, 32, 16), role="value"), TABLE],
           source=SRC, ops=1, bucket=T5(), scale=1.0, variants="V23",
           what="two key heads serve four query heads by expand and reshape")


def per_offset(q, k, v, table):
    s = q @ k.transpose(2, 3) / math.sqrt(16)
    bias = table[rel_positions(32, 32) + 31].permute(2, 0, 1)
    return (s + bias.unsqueeze(0)).softmax(-1) @ v


torch_case("torch-per-offset-table-f32", Fn(per_offset),
           QKV + [arg((63, 4), "f32", U(-2, 2), "table")],
           source=SRC, ops=1,
           bucket={"kind": "per_offset", "recover": "chain",
                   "offset_shift": 31}, scale=0.25, variants="V4 V14",
           what="one table row per offset (1-D Swin style): "
                "table[j - i + 31]")

# Must refuse, or stay correct ----------------------------------------------


def scores(q, k, table):
    return q @ k.transpose(2, 3) + t5_bias(table, 32, 32)


def no(name, f, what, ops=0, args=None, **kw):
    torch_case(name, Fn(f), args or QKV + [TABLE], source=SRC, ops=ops,
               negative=True, what=what, **kw)


no("not-softmax-over-queries",
   lambda q, k, v, t: scores(q, k, t).softmax(-2) @ v,
   "softmax over the query dimension", bucket=T5())
no("not-max-of-another-tensor",
   lambda q, k, v, t: (lambda s, m: (s - m).exp() / (s - m).exp().sum(
       -1, keepdim=True) @ v)(
       scores(q, k, t), (q @ k.transpose(2, 3)).amax(-1, keepdim=True)),
   "the maximum is taken before the bias is added; the value is the same in "
   "exact arithmetic, so taking it is right only if overflow cannot differ",
   ops=[0, 1], bucket=T5())
no("not-dropout-multiply",
   lambda q, k, v, t, d: (scores(q, k, t).softmax(-1) * d) @ v,
   "probabilities are multiplied by a mask before the value product",
   args=QKV + [TABLE, arg((2, 4, 32, 32), "f32", INT(0, 3), "keep")],
   bucket=T5())
no("not-bias-by-batch",
   lambda q, k, v, t, p: (q @ k.transpose(2, 3) + F.embedding(t5_bucket(
       p[:, None, :] - p[:, :, None]), t).permute(0, 3, 1, 2)).softmax(-1) @ v,
   "positions are an argument per batch row, so the bias is not a function "
   "of j - i; attention with an opaque bias is fine, a table is not",
   ops=[0, 1], args=QKV + [TABLE, arg((2, 32), "i64", INT(0, 60),
                                      "positions")],
   bucket={"kind": "none", "recover": "none"})

# More spellings ----------------------------------------------------------
def man(q, k, v, bias):
    return (q @ k.transpose(-1, -2) + bias).softmax(-1) @ v


def T(name, f, args, **kw):
    kw.setdefault("source", SRC)
    torch_case(name, f if isinstance(f, nn.Module) else Fn(f), args, **kw)


BIAS = arg((1, 4, 32, 32), "f32", U(-2, 2), "bias")

def dyn(name, f, args, dims, **kw):
    torch_case(name, Fn(f), args, dynamic=(tuple(dims),), source=SRC, **kw)


sq = torch.export.Dim("sq", min=2, max=512)
bt = torch.export.Dim("bt", min=2, max=16)

encoder_case("hf-t5-sdpa-f32", t5_attention("sdpa"), (2, 64, 32), fn=first,
             source=HF, ops=1, bucket=T5(), scale=1.0, variants="V6 V14 safe-softmax",
             what="sdpa path without mask; safe softmax with its all -inf row test")
T("torch-scale-on-query-f32", lambda q, k, v, t: man(q * 0.25, k, v, t5_bias(t, 32, 32)),
  QKV + [TABLE], ops=1, bucket=T5(), scale=0.25, variants="V1", what="scale on the query")
T("torch-decode-past-offset-f32",
  lambda q, k, v, t: man(q, k, v, t5_bias(t, 4, 40, bidirectional=False, past=36)),
  [arg((2, 2, 4, 16), role="query"), arg((2, 2, 40, 16), role="key"), arg((2, 2, 40, 16), role="value"),
   arg((32, 2), "f32", U(-2, 2), "table")], ops=1, bucket=T5(False), scale=1.0,
  variants="V14", what="four queries at positions 36..39: offset is j - i - 36")
T("torch-masked-fill-f32",
  lambda q, k, v, t, m: (q @ k.transpose(2, 3) + t5_bias(t, 32, 32)).masked_fill(~m, float("-inf")).softmax(-1) @ v,
  QKV + [TABLE, arg((2, 1, 1, 32), "i1", PREFIX([32, 13]), "mask")], ops=1, bucket=T5(),
  scale=1.0, variants="V15 V16", what="masked_fill of the scores with -inf from an inverted i1 mask")
dyn("torch-dynamic-length-bias-argument-f32",
    lambda q, k, v, b: man(q, k, v, b),
    [arg((2, 2, 24, 16)), arg((2, 2, 24, 16)), arg((2, 2, 24, 16)), arg((1, 2, 24, 24), "f32", U(-2, 2))],
    [{2: sq}, {2: sq}, {2: sq}, {2: sq, 3: sq}], ops=1, bucket=None, scale=1.0,
    variants="V13 dynamic", what="dynamic sequence length, bias argument")
no("not-extra-logit",
   lambda q, k, v, t: (lambda s, m: ((s - m).exp() / ((-m).exp() + (s - m).exp().sum(-1, keepdim=True))) @ v)(
       scores(q, k, t), scores(q, k, t).amax(-1, keepdim=True)),
   "softmax plus one: exp(-max) is added to the denominator", bucket=T5(), variants="V25")
no("not-softcap", lambda q, k, v, t: (torch.tanh(scores(q, k, t) / 8) * 8).softmax(-1) @ v,
   "tanh soft cap between bias and softmax", bucket=T5())
no("not-scores-have-two-users", lambda q, k, v, t: (lambda s: (s.softmax(-1) @ v, s))(scores(q, k, t)),
   "scores with bias are also a result", ops=[0, 1], bucket=T5(), variants="V26")
