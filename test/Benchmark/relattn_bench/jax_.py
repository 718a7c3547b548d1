# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX: dot_product_attention, jitted, inputs in its own layout [B, S, H, D]."""

import jax
import numpy as np


def implementations(case, inputs, threads, target):
    def make():
        q, k, v = (jax.device_put(np.ascontiguousarray(x.transpose(0, 2, 1, 3))) for x in inputs[:3])
        bias = jax.device_put(case.dense_bias(inputs[3]))
        compiled = jax.jit(lambda q, k, v, bias: jax.nn.dot_product_attention(q, k, v, bias=bias, scale=1.0))
        return lambda: compiled(q, k, v, bias).block_until_ready(), lambda result: np.asarray(result).astype(np.float32).transpose(0, 2, 1, 3)

    yield "JAX dot_product_attention, dense bias", make
