#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases from JAX.  pip: jax, torch-mlir (torch-mlir-opt), iree-base-compiler
(iree-opt), numpy; mlir-opt 22 on PATH."""
from jax_lib import *


def bshd(b, q, k, h, d, elem="f32"):
    return [arg((b, q, h, d), elem, role="query"),
            arg((b, k, h, d), elem, role="key"),
            arg((b, k, h, d), elem, role="value")]


jax_case("jax-one-hot-f32",
         lambda q, k, v, t: attend(q, k, v, one_hot_bias(t, 16, 16)),
         bshd(1, 16, 16, 2, 8) + [arg((2, 32), "f32", U(-2, 2), "table")],
         ops=1, bucket=T5(recover="folded"), scale=1.0, variants="V14 V21",
         what="flaxformer: one-hot of constant bucket ids times table "
              "[heads, buckets]; contractions are generics",
         notes="16 positions do not fix max_distance")
jax_case("jax-one-hot-causal-iree-f32",
         lambda q, k, v, t: attend(
             q, k, v, one_hot_bias(t, 24, 24, bidirectional=False)
             + jnp.where(jnp.arange(24)[:, None] >= jnp.arange(24), 0.0, -1e9)),
         bshd(2, 24, 24, 2, 8) + [arg((2, 32), "f32", U(-2, 2), "table")],
         path="iree", fix=unsigned_one_hot, ops=1,
         bucket=T5(False, recover="folded"), scale=1.0,
         variants="V10 V14 V15 V21",
         what="the same, one-sided, causal mask -1e9 added to the bias first; "
              "IREE's StableHLO lowering makes copies and batch_matmul",
         notes="adapted by hand: the pass order used here leaves a matmul of f32 "
               "by the i1 one-hot with the default signed cast, which negates "
               "the bias; cast_unsigned is written instead")
jax_case("jax-take-traced-f32",
         lambda q, k, v, t: attend(q, k, v, take_bias(t, 40, 40)),
         bshd(1, 40, 40, 4, 8) + [arg((32, 4), "f32", U(-2, 2), "table")],
         ops=1, bucket=T5(), scale=1.0, variants="V14 V21",
         what="bucket chain traced with jnp (i32, epsilon added inside the "
              "log), gather of table [buckets, heads]")
jax_case("jax-dpa-bias-causal-bf16",
         lambda q, k, v, b: jax.nn.dot_product_attention(
             q, k, v, bias=b, scale=1.0, is_causal=True),
         bshd(2, 32, 32, 2, 16, "bf16") + [
             arg((1, 2, 32, 32), "bf16", U(-2, 2), "bias")],
         ops=1, bucket=None, scale=1.0, variants="V13 V15 V17",
         what="jax.nn.dot_product_attention with bias, scale 1, causal, bf16")
