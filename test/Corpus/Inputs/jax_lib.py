# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX functions to linalg, by torch-mlir's or by IREE's StableHLO lowering."""
import os
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np

from corpus_lib import *

IREE_OPT = os.environ.get("IREE_OPT", os.path.join(
    os.path.dirname(sys.executable), "iree-opt"))


def unsigned_one_hot(text):
    """With this pass order convert(i1) is folded into the matmul, whose
    default cast is signed (true becomes -1); ask for the unsigned cast."""
    return re.sub(r"linalg\.matmul (ins\([^)]*xi1>\))",
                  r"linalg.matmul {cast = #linalg.type_fn<cast_unsigned>} \1",
                  text)


def jax_args(args):
    dt = {"f32": jnp.float32, "f16": jnp.float16, "bf16": jnp.bfloat16,
          "i32": jnp.int32, "i1": jnp.bool_}
    return [jnp.asarray(a).astype(dt[r["elem"]])
            for a, r in zip(arrays(args), args)]


def lower(text, path, inline=True):
    text = re.sub(r" attributes \{mhlo[^}]*\}", "", text)
    text = re.sub(r" \{jax\.result_info = \"[^\"]*\"\}", "", text)
    # The linalg lowerings do not take dot algorithms; the types say enough.
    text = re.sub(r", algorithm = <[^>]*>", "", text)
    if path == "torch-mlir":
        cmd = [TORCH_MLIR_OPT] + (["--inline"] if inline else []) + [
            "--stablehlo-aggressive-simplification",
            "--stablehlo-legalize-to-linalg", "--canonicalize", "--cse",
            "--symbol-dce"]
    else:
        cmd = [IREE_OPT] + (["--inline"] if inline else []) + [
            "--iree-stablehlo-to-stablehlo-preprocessing",
            "--iree-stablehlo-to-iree-input", "--canonicalize", "--cse",
            "--symbol-dce"]
    return run_tool(cmd, text)


def jax_case(name, f, args, path="torch-mlir", inline=True, fix=None,
             reference=True, **meta):
    if not wanted(name):
        return
    try:
        x = jax_args(args)
        expected = jax.jit(f)(*x)
        if not isinstance(expected, (tuple, list)):
            expected = [expected]
        expected = [np.asarray(e.astype(jnp.float32)) for e in expected]
        text = lower(jax.jit(f, keep_unused=True).lower(*x).as_text(), path, inline)
        text = re.sub(r"module @\w+", "module", text)
        if fix:
            text = fix(text)
        meta.setdefault("source", "JAX via StableHLO and " + path)
        emit(name, text, args, expected=expected if reference else None,
             **meta)
    except Exception as e:
        print("FAILED", name, str(e)[:1500], flush=True)


def bucket(rel, bidirectional=True, nb=32, md=128, np=np):
    """flaxformer / T5X; np=jnp keeps the chain in the graph."""
    ret, n = 0, -rel
    if bidirectional:
        nb //= 2
        ret += (n < 0).astype(np.int32) * nb
        n = np.abs(n)
    else:
        n = np.maximum(n, 0)
    me = nb // 2
    large = me + (np.log(n.astype(np.float32) / me + np.finfo(np.float32).eps)
                  / np.log(md / me) * (nb - me)).astype(np.int32)
    return ret + np.where(n < me, n, np.minimum(large, nb - 1))


def rel(q, k, np=np):
    return np.arange(k, dtype=np.int32)[None, :] - np.arange(
        q, dtype=np.int32)[:, None]


def one_hot_bias(table, q, k, **kw):
    """table [heads, buckets] -> [1, heads, q, k], T5X style."""
    hot = jax.nn.one_hot(bucket(rel(q, k), **kw), table.shape[1],
                         dtype=table.dtype, axis=0)
    return jnp.einsum("hn,nqk->hqk", table, hot)[None]


def take_bias(table, q, k, **kw):
    """table [buckets, heads] -> [1, heads, q, k], chain traced."""
    ids = bucket(rel(q, k, jnp), np=jnp, **kw)
    return jnp.take(table, ids, axis=0).transpose(2, 0, 1)[None]


def attend(q, k, v, bias):
    logits = jnp.einsum("bqhd,bkhd->bhqk", q, k) + bias
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(logits, axis=-1), v)
