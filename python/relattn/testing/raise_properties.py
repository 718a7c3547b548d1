# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What raising must not depend on, and what it must not touch.

    python -m relattn.testing.raise_properties [--programs N] [--seed S]

Random programs of frontends are raised after passes that only rewrite them; the
findings must be the same. A module of a thousand functions without attention
must come out of relattn-raise as out of its cleanups alone, byte for byte.
"""

import argparse
import re
import sys

import numpy as np

from relattn.testing.frontend_program import FrontendProgram
from relattn.testing.random_frontend import attributes
from relattn.testing.random_linalg import opt

#: Passes that leave the meaning alone. (Not linalg-specialize-generic-ops: MLIR
#: 22.1.8 makes batch_matmuls of five loops with it, which do not verify.)
BEFORE = [
    ["--canonicalize", "--cse"],
    ["--linalg-generalize-named-ops"],
    ["--linalg-fuse-elementwise-ops"],
    ["--linalg-generalize-named-ops", "--linalg-fuse-elementwise-ops", "--canonicalize", "--cse"],
    ["--linalg-fold-unit-extent-dims"],
    ["--relattn-fold-bias-into-scores"],
    ["--topological-sort"],
]
CLEANUPS = ["--canonicalize", "--cse", "--int-range-optimizations", "--canonicalize", "--cse"]


def unrelated(rng, name):
    """A function with nothing to raise: products, sums, maxima, exponentials."""
    m, n, k = (int(x) for x in rng.integers(2, 9, 3))
    a, b, c = f"tensor<{m}x{k}xf32>", f"tensor<{k}x{n}xf32>", f"tensor<{m}x{n}xf32>"
    unary = ["math.exp", "math.tanh", "math.absf"][rng.integers(3)]
    binary = ["arith.maximumf", "arith.mulf", "arith.subf"][rng.integers(3)]
    return f"""func.func @{name}(%a: {a}, %b: {b}, %c: {c}) -> {c} {{
  %s = linalg.matmul ins(%a, %b : {a}, {b}) outs(%c : {c}) -> {c}
  %e = tensor.empty() : {c}
  %r = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}} ins(%s, %c : {c}, {c}) outs(%e : {c}) {{
  ^bb0(%x: f32, %y: f32, %o: f32):
    %0 = {unary} %x : f32
    %1 = {binary} %0, %y : f32
    linalg.yield %1 : f32
  }} -> {c}
  return %r : {c}
}}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng([args.seed, 5])
    # A depth of 1 is no reduction any more once unit dimensions are folded, and
    # fusion leaves an op behind that only asserts, and reads the scores for it.
    # One query alone may have no offset that tells T5 from another table.
    force = {"depth": 8, "assertions": False, "one query": False}
    programs = [FrontendProgram(rng, f"p{i}", force=force) for i in range(args.programs)]
    text = "".join(p.function() for p in programs)
    expected = attributes(opt(text, ["--relattn-raise"]).stdout)
    failed = 0
    for before in BEFORE:
        process = opt(text, [*before, "--relattn-raise", "--remarks-filter=relattn"])
        found = attributes(process.stdout)
        reasons = dict(re.findall(r"\[Missed\] RaiseAttention .*Function=(p\d+) \| Reason=\"?([^\"\n]*)", process.stderr))
        different = [p for p in programs if found[p.name][0] != expected[p.name][0]]
        tables = [p for p in programs if p not in different and found[p.name][1:] != expected[p.name][1:]]
        failed += bool(different) + bool(tables)
        print(f"{'FAILED' if different or tables else 'ok'}: after {' '.join(before)}: "
              f"{len(different)} raised otherwise, {len(tables)} with another table")
        for p in [*different, *tables][:8]:
            print(f"    {p.name}: {expected[p.name]} then {found[p.name]}, {reasons.get(p.name, '')}: {', '.join(p.forms)}")
    module = "".join(unrelated(rng, f"f{i}") for i in range(1000))
    same = opt(module, ["--relattn-raise"]).stdout == opt(module, CLEANUPS).stdout
    failed += not same
    print(f"{'ok' if same else 'FAILED'}: 1000 unrelated functions come out as of the cleanups alone")
    print(f"{len(BEFORE) + 1} properties, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
