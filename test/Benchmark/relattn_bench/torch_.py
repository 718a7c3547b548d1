# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch and Hugging Face."""

import numpy as np
import torch

from relattn_bench.case import SCHEME


def to_torch(array):
    """Of PyTorch's own bf16, where the array is of that type."""
    if array.dtype.itemsize == 2:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def implementations(case, inputs, threads, target):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    q, k, v, table = map(to_torch, inputs)
    sdpa = torch.nn.functional.scaled_dot_product_attention
    dense = lambda: to_torch(case.dense_bias(inputs[3]))
    numpy = lambda result: result.float().numpy()

    def make_sdpa():
        bias = dense()
        return lambda: sdpa(q, k, v, attn_mask=bias, scale=1.0), numpy

    def make_matmul():
        bias = dense()[0]
        return lambda: (torch.softmax(torch.baddbmm(bias, q[0], k[0].mT), -1) @ v[0])[None], numpy

    def make_flex():
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        strip = table[torch.from_numpy(SCHEME.bucket(range(-(case.keys - 1), case.keys)))].T.contiguous()
        offset = case.query_offset

        def add_bias(score, b, h, i, j):
            return score + strip[h, j - (i + offset) + case.keys - 1]

        mask = None
        if case.causal:
            mask = create_block_mask(lambda b, h, i, j: i + offset >= j, None, None, case.queries, case.keys, device="cpu")
        compiled = torch.compile(flex_attention, dynamic=False)
        return lambda: compiled(q, k, v, score_mod=add_bias, block_mask=mask, scale=1.0), numpy

    def make_hugging_face():
        from transformers.integrations.sdpa_attention import sdpa_attention_forward
        from transformers.models.t5.configuration_t5 import T5Config
        from transformers.models.t5.modeling_t5 import T5Attention

        config = T5Config(d_model=case.heads * case.depth, d_kv=case.depth, num_heads=case.heads, is_decoder=case.causal)
        layer = T5Attention(config, has_relative_attention_bias=True, layer_idx=0, is_causal=case.causal).eval()
        bias = dense()
        run = lambda: sdpa_attention_forward(layer, q, k, v, None, dropout=0.0, scaling=1.0, position_bias=bias)
        return run, lambda result: result[0].transpose(1, 2).float().numpy()

    yield "PyTorch SDPA, dense bias", make_sdpa
    if case.is_decode:
        yield "PyTorch matmul, dense bias", make_matmul
    yield "FlexAttention, T5 score_mod", make_flex
    yield "Hugging Face sdpa core, dense bias", make_hugging_face
