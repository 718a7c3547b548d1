# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention blocks in PyTorch: thin wrappers and plain restatements."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class Fn(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *a):
        return self.f(*a)


def t5_bucket(rel, bidirectional=True, num_buckets=32, max_distance=128):
    out = 0
    if bidirectional:
        num_buckets //= 2
        out += (rel > 0).to(torch.long) * num_buckets
        rel = torch.abs(rel)
    else:
        rel = -torch.min(rel, torch.zeros_like(rel))
    max_exact = num_buckets // 2
    is_small = rel < max_exact
    large = max_exact + (
        torch.log(rel.float() / max_exact)
        / math.log(max_distance / max_exact)
        * (num_buckets - max_exact)).to(torch.long)
    large = torch.min(large, torch.full_like(large, num_buckets - 1))
    out += torch.where(is_small, rel, large)
    return out


def rel_positions(q, k, past=0):
    return torch.arange(k)[None, :] - (torch.arange(q)[:, None] + past)


def t5_bias(table, q, k, bidirectional=True, nb=32, md=128, past=0):
    b = t5_bucket(rel_positions(q, k, past), bidirectional, nb, md)
    return F.embedding(b, table).permute(2, 0, 1).unsqueeze(0)


def t5_config(impl="eager", **kw):
    from transformers import T5Config
    d = dict(d_model=32, d_kv=16, num_heads=2, d_ff=64, num_layers=2,
             num_decoder_layers=2, vocab_size=64, dropout_rate=0.0,
             relative_attention_num_buckets=32,
             relative_attention_max_distance=128)
    d.update(kw)
    c = T5Config(**d)
    c._attn_implementation = impl
    return c
