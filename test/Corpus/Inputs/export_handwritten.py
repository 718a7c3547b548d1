#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hand-written spellings.  Needs mlir-opt 22 on PATH."""
from corpus_lib import *
from handwritten import attention

SRC = "written by hand"


def hand_args(text, table=U(-2, 2), mask=None):
    """Argument records read off the printed signature."""
    import re
    sig = re.search(r"@main\((.*?)\) ->", text, re.S).group(1)
    out = []
    for name, ty in re.findall(r"%(\w+): tensor<([^>]*)>", sig):
        *shape, elem = ty.split("x")
        gen = {"table": table, "bias": U(-2, 2),
               "mask": mask or CAUSAL(0.0, -1e9)}.get(name, U())
        out.append(arg([int(s) for s in shape], elem, gen, role=name))
    return out


def hand_case(name, what, ops=1, bucket=None, negative=False, variants="",
              notes="", edit=None, **kw):
    if not wanted(name):
        return
    text = attention(**kw)
    if edit:
        new = edit(text)
        assert new != text, name
        text = new
    emit(name, text, hand_args(text), what=what, source=SRC, ops=ops,
         bucket=bucket, negative=negative, variants=variants, notes=notes)


neg = lambda n, w, e, ops=0, **k: hand_case(n, w, ops=ops, negative=True, edit=e, **k)

if __name__ == "__main__":
    hand_case("hand-softmax-op", "K^T by indexing_maps, bias first in a named "
              "add, linalg.softmax", qk="maps", bias_first=True,
              softmax="named", variants="V9 V11 V20 V21")
    hand_case("hand-bucket-in-one-body", "the whole bucket chain and the "
              "gather inside one generic body, table [heads, buckets], i32",
              bias="log", table_t=True, q=48, k=48, bucket=T5(),
              variants="V11 V14")
    hand_case("hand-scale-after-bias", "scale on the scores after the bias: "
              "the bias is scaled too", bias="log", scale=0.25,
              scale_at="after", bucket=T5(), variants="V5")
    hand_case("hand-deferred-normalisation", "division by the sum after the "
              "value product; max by cmpf and select from the lowest finite "
              "value", norm="deferred", max_op="select",
              max_init="-3.40282347E+38", variants="V18 V19")
    hand_case("hand-bias-is-matmul-init", "the bias is the score matmul's "
              "initial accumulator", bias="init", variants="V12")
    hand_case("not-probabilities-returned", "the probabilities are also "
              "returned", extra_result="%p", ops=[0, 1], negative=True,
              variants="V26")
    hand_case("not-t5-constants", "the chain has T5's form but its constants "
              "do not fit one another (max_exact 7 of 16 buckets): attention "
              "with an opaque bias is right, a T5 table is not", bias="wrong",
              me=7, ops=[0, 1], negative=True,
              bucket={"kind": "none", "recover": "none"}, variants="V14")
    hand_case("hand-reciprocal-maxnum", "max by maxnumf with operands swapped, sum starts at -0.0, reciprocal then multiply", norm="recip",
              max_op="maxnumf", sum_init="-0.000000e+00", variants="V18 V19")
    hand_case("hand-exp2", "exp2 of (s - max) * log2(e)", exp="exp2", bias="log", bucket=T5(), variants="V20")
    hand_case("hand-two-adds-one-body", "bias and mask added in one body, mask [q,k]", mask="arg", add="two-in-one", variants="V10 V11")
    hand_case("hand-key-first", "contraction generic with the key as first operand, parallel dims ordered b,n,m", qk="generic-key-first",
              bias="log", q=24, k=48, bucket=T5(), variants="V21")
    neg("not-sub-reversed", "max - s instead of s - max", lambda t: t.replace("arith.subf %a0, %a1", "arith.subf %a1, %a0"))
    neg("not-causal-off-by-one", "j < i hides the diagonal: row 0 is fully masked", lambda t: t.replace("arith.cmpi sle, %j, %i", "arith.cmpi slt, %j, %i"), mask="index", ops=[0, 1],
        notes="row 0 is nan in the IR; a causal flag would be wrong", variants="V15")
