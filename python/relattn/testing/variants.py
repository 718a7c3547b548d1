# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The known ways to write attention with relative-position bias, one by one.

    python -m relattn.testing.variants

Each variant is a program with one habit forced; it must be raised, recover what
is asked, and compute the same. Each look-alike must be refused, with the remark
that says why, or be taken with a bias that keeps the numbers. Exits with 1 if
not.
"""

import re
import sys
import tempfile

import numpy as np

from relattn.jit import Module
from relattn.testing.frontend_program import T5_PARAMETERS, FrontendProgram
from relattn.testing.random_frontend import DECOMPOSE, attributes
from relattn.testing.random_linalg import opt

#: One query alone sees few offsets.
T5 = {"bias": "t5", "length": 33, "one query": False}
#: (name, what it is, forced habits, passes before)
VARIANTS = [
    ("V1", "scale on the query", {"scale": "query"}, ()),
    ("V2", "scale on the key", {"scale": "key"}, ()),
    ("V3", "roots of the scale on both", {"scale": "roots"}, ()),
    ("V4", "scale on the scores before the bias", {"scale": "scores", **T5}, ()),
    ("V5", "scale after the bias", {"scale": "after bias", **T5}, ()),
    ("V6", "no scale", {"scale": "none", **T5}, ()),
    ("V7-V8", "factor by mul or div, in many forms", {"scale": "scores"}, ()),
    ("V9-V10", "one by one", {"additions": "one by one", "mask": "argument", **T5}, ()),
    ("V10", "mask first", {"additions": "mask first", "mask": "argument", **T5}, ()),
    ("V10", "bias and mask together first", {"additions": "together first", "mask": "argument", **T5}, ()),
    ("V10", "mask only", {"bias": "none", "mask": "argument"}, ()),
    ("V10", "a bias of zeros", {"bias": "zero"}, ()),
    ("V11", "two additions in one body", {"additions": "one body", "mask": "argument", **T5}, ()),
    ("V12", "the bias is the product's initial accumulator", {"scale": "none", "mask": "none", **T5},
     ("--relattn-fold-bias-into-scores",)),
    ("V13", "a dense bias of some shape", {"bias": "argument"}, ()),
    ("V14", "a chain, table [rows, heads]", {"buckets": "chain", "table": "[rows, heads]", "gather": "extract", **T5}, ()),
    ("V14", "a chain, table [heads, rows]", {"buckets": "chain", "table": "[heads, rows]", "gather": "extract", **T5}, ()),
    ("V14", "the chain in one body", {"buckets": "one body", **T5}, ()),
    ("V14", "constant ids", {"buckets": "folded", "lengths": "static", **T5}, ()),
    ("V14", "integer thresholds", {"buckets": "thresholds", **T5}, ()),
    ("V14", "one-hot", {"gather": "one-hot", **T5}, ()),
    ("V14", "i32", {"integers": "i32", **T5}, ()),
    ("V14", "i16", {"integers": "i16", "lengths": "static", **T5}, ()),
    ("V14", "i8", {"integers": "i8", "lengths": "static", "T5": (32, 128), "past": 0, **T5}, ()),
    ("V14", "gathers that assert", {"gather": "extract", "assertions": True, **T5}, ()),
    ("V14", "one row per offset", {"bias": "per offset"}, ()),
    ("V14", "ALiBi", {"bias": "alibi"}, ()),
    ("V15", "lowest finite numbers", {"mask": "lowest"}, ()),
    ("V15", "causal by comparison, select -inf", {"mask": "causal select", "past": 0}, ()),
    ("V15", "causal by comparison, added", {"mask": "causal add", "past": 0}, ()),
    ("V15", "causal by finite numbers, scores bounded", {"mask": "causal add", "past": 0, "two masks": False, "bias": "none"},
     ("--relattn-raise=assume-bounded-scores",)),
    ("V16", "a boolean mask", {"mask": "bool select"}, ()),
    ("V16", "two masks", {"mask": "bool select", "two masks": True}, ()),
    ("V16", "a length for each batch entry", {"mask": "key lengths", "batch": True}, ()),
    ("V17", "f64", {"type": "f64", **T5}, ()),
    ("V17", "f16", {"type": "f16", "softmax in f32": False, **T5}, ()),
    ("V17", "f16, softmax in f32", {"type": "f16", "softmax in f32": True, **T5}, ()),
    ("V17", "bf16, softmax in f32", {"type": "bf16", **T5}, ()),
    ("V18", "maxnumf", {"maximum": "maxnumf"}, ()),
    ("V18", "compare and select", {"maximum": "compare"}, ()),
    ("V18", "dimensions kept", {"keepdim": True, "softmax op": False}, ()),
    ("V18", "dimensions dropped", {"keepdim": False, "softmax op": False}, ()),
    ("V19", "multiplication by the reciprocal", {"division": "reciprocal"}, ()),
    ("V19", "normalised after the value product", {"division": "deferred", "softmax op": False}, ()),
    ("V19", "log-sum-exp as a second output", {"log-sum-exp": True, "softmax op": False}, ()),
    ("V20", "exp2", {"exponential": "exp2", "softmax op": False}, ()),
    ("V20", "linalg.softmax", {"softmax op": True}, ()),
    ("V21", "the key transposed by an op", {"key transposed": True, "layout": "heads first"}, ()),
    ("V21", "sequence first, contracted by maps", {"layout": "sequence first", "batch": True}, ()),
    ("V21", "operands swapped", {"operands swapped": True, "product": "contract"}, ()),
    ("V22", "one batch of heads", {"batch": False}, ()),
    ("V22", "batch and heads collapsed", {"layout": "collapsed", "batch": True}, ()),
    ("V22", "unknown lengths", {"lengths": "dynamic", **T5}, ()),
    ("V23", "grouped heads", {"grouped heads": True, "batch": True}, ()),
    ("V27", "a decode step, past keys before", {**T5, "one query": True, "past": 20}, ()),
    ("V28", "a rank's part of the table", {"table sliced": True, **T5}, ()),
] + [
    (f"T5 {b} {d}", "both sides" if not one else "one side",
     {"bias": "t5", "T5": (b, d), "one side": one, "length": 300, "buckets": "chain", "one query": False}, ())
    for b, d in T5_PARAMETERS for one in (False, True)
]
#: (look-alike, the remark that refuses it)
REFUSALS = [
    ("softmax over queries", "the softmax is not over the keys|what is subtracted|not divided by a sum over the keys|no maximum over the keys"),
    ("maximum of another tensor", "the maximum is of another tensor"),
    ("sum of another tensor", "the sum is of another tensor|not divided by a sum over the keys"),
    ("sum starts at one", "the sum does not start at zero"),
    ("values start at one", "the value product does not start at zero"),
    ("reversed subtraction", "no maximum|depends on the key"),
    ("extra user", "the scores or probabilities have another user"),
    ("dropout", "between softmax and value product"),
    ("tanh", "something else than scale, bias and mask"),
]


def check(programs, before, refusals=None):
    """Runs programs of one module; gives the complaint about each."""
    text = "".join(p.function() for p in programs)
    process = opt(text, [*before, "--relattn-raise", "--remarks-filter=relattn"])
    found = attributes(process.stdout)
    with tempfile.NamedTemporaryFile("w", suffix=".mlir") as script:
        script.write(DECOMPOSE)
        script.flush()
        pipeline = (f"--transform-preload-library=transform-library-paths={script.name}",
                    "--transform-interpreter", "--relattn-to-cpu")
        modules = [Module(x, pipeline, optimize="-O0") for x in (text, process.stdout)]
    for p in programs:
        attentions, t5, steps = found[p.name]
        reasons = re.findall(rf"\[Missed\] RaiseAttention .*Function={p.name} \| Reason=\"?([^\"\n]*)", process.stderr)
        error = max(p.errors(*modules))
        if error > 1:
            yield f"error {error:.3g} of the tolerance"
        elif refusals:
            wrong = attentions or not any(re.search(refusals, reason) for reason in reasons)
            yield f"{attentions} attention ops, remarks {reasons}" if wrong else ""
        elif not attentions:
            yield f"not raised: {reasons}"
        elif p.t5 and "queries one" not in p.forms and not steps and not any(x[0] == p.t5[0] and x[2] == p.t5[2] for x in t5):
            yield f"T5 {p.t5} not recovered"
        elif p.t5 and p.force.get("T5") and p.force.get("buckets") == "chain" and p.t5 not in t5:
            yield f"T5 {p.t5} recovered as {t5}"
        else:
            yield ""


def main():
    failed = 0
    def report(name, what, complaints, forms):
        nonlocal failed
        complaints = list(complaints)
        bad = [(c, f) for c, f in zip(complaints, forms) if c]
        failed += bool(bad)
        print(f"{'FAILED' if bad else 'ok'}: {name}: {what}")
        for complaint, form in bad:
            print(f"    {complaint}: {', '.join(form)}")
    for number, (name, what, force, before) in enumerate(VARIANTS):
        rng = np.random.default_rng([7, number])
        programs = [FrontendProgram(rng, f"p{i}", force=force) for i in range(4)]
        report(name, what, check(programs, before), [p.forms for p in programs])
    for number, (look_alike, remark) in enumerate(REFUSALS):
        rng = np.random.default_rng([8, number])
        programs = [FrontendProgram(rng, f"p{i}", look_alike, {"one query": False, "length": 17, "softmax op": False})
                    for i in range(4)]
        report("look-alike", look_alike, check(programs, (), remark), [p.forms for p in programs])
    print(f"{len(VARIANTS)} variants and {len(REFUSALS)} look-alikes, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
