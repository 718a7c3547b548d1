# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random `relattn.merge` against its formula in float64.

Any order of dimensions, static and dynamic sizes, no part to several, parts and
running states that have seen nothing.
"""

import argparse
import sys

import numpy as np

from relattn.jit import Module


def merge(outs, maxes, sums, out, maximum, total):
    """The formula over (part, rows..., e) and (part, rows...)."""
    new = np.maximum(maximum, maxes.max(axis=0, initial=-np.inf))
    shift = np.where(np.isneginf(new), 0.0, new)
    own, scales = np.exp(maximum - shift), np.exp(maxes - shift)
    return (out * own[..., None] + (outs * scales[..., None]).sum(axis=0), new, total * own + (sums * scales).sum(axis=0))


class Program:
    """One op over `rows` row dimensions."""

    def __init__(self, rng, name):
        self.name = name
        rows = int(rng.integers(1, 3))
        self.sizes = [int(rng.integers(0, 6)), *(int(x) for x in rng.integers(1, 7, rows)), int(rng.integers(1, 20))]
        self.kind = rng.choice(["f32", "f64"])
        self.dtype = {"f32": np.float32, "f64": np.float64}[self.kind]
        # A size of 0 is dynamic: MLIR refuses some slices of static ones.
        self.dynamic = [size == 0 or rng.random() < 0.4 for size in self.sizes]
        dims = list(range(len(self.sizes)))
        self.outs_map = list(rng.permutation(dims))
        self.rows_map = list(rng.permutation(dims[:-1]))

        def draw(some, scale):
            return np.asarray(rng.standard_normal([self.sizes[d] for d in some]) * scale, self.dtype)

        self.maxes, self.maximum = draw(dims[:-1], 20), draw(dims[1:-1], 20)
        self.sums, self.total = np.abs(draw(dims[:-1], 3)) + 1, np.abs(draw(dims[1:-1], 3)) + 1
        self.outs, self.out = draw(dims, 2), draw(dims[1:], 2)
        for maximum, total, out in ((self.maxes, self.sums, self.outs), (self.maximum, self.total, self.out)):
            empty = rng.random(maximum.shape) < 0.25
            maximum[empty], total[empty] = -np.inf, 0.0
            out[empty] = 0.0

    def permuted(self):
        """The operands in the layouts of the maps: parts, then state."""
        state = lambda order: [d - 1 for d in order if d != 0]
        return [np.array(x, order="C") for x in (
            self.outs.transpose(self.outs_map), self.maxes.transpose(self.rows_map), self.sums.transpose(self.rows_map),
            self.out.transpose(state(self.outs_map)), self.maximum.transpose(state(self.rows_map)),
            self.total.transpose(state(self.rows_map)))]

    def function(self):
        names = [f"d{i}" for i in range(len(self.sizes))]
        affine = lambda order: f"affine_map<({', '.join(names)}) -> ({', '.join(names[d] for d in order)})>"
        shape = lambda order: "x".join([*("?" if self.dynamic[d] else str(self.sizes[d]) for d in order), self.kind])
        state = lambda order: [d for d in order if d != 0]
        kinds = [shape(x) for x in (self.outs_map, self.rows_map, self.rows_map, state(self.outs_map),
                                    state(self.rows_map), state(self.rows_map))]
        text = f"func.func @{self.name}({', '.join(f'%a{i}: memref<{k}>' for i, k in enumerate(kinds))}) attributes {{llvm.emit_c_interface}} {{\n"
        for i, kind in enumerate(kinds):
            text += f"  %t{i} = bufferization.to_tensor %a{i} restrict{' writable' if i > 2 else ''} : memref<{kind}> to tensor<{kind}>\n"
        types = [f"tensor<{k}>" for k in kinds]
        text += (f"  %r:3 = relattn.merge ins(%t0, %t1, %t2 : {', '.join(types[:3])}) outs(%t3, %t4, %t5 : {', '.join(types[3:])}) "
                 f"{{indexing_maps = [{affine(self.outs_map)}, {affine(self.rows_map)}]}}\n")
        for i in range(3):
            text += (f"  bufferization.materialize_in_destination %r#{i} in restrict writable %a{3 + i} : "
                     f"({types[3 + i]}, memref<{kinds[3 + i]}>) -> ()\n")
        return text + "  return\n}\n"

    def error(self, module):
        """The largest error of a result over its tolerance."""
        arrays = self.permuted()
        module.call(self.name, *arrays)
        exact = merge(*(x.astype(np.float64) for x in (self.outs, self.maxes, self.sums, self.out, self.maximum, self.total)))
        state = lambda order: [d - 1 for d in order if d != 0]
        worst = 0.0
        # A few roundings of each term; where exp rounds more its value is small.
        tolerance = 8 * np.finfo(self.dtype).eps
        for got, want, order in zip(arrays[3:], exact, (self.outs_map, self.rows_map, self.rows_map)):
            want = want.transpose(state(order))
            same = got == want
            with np.errstate(invalid="ignore"):
                error = np.where(same, 0.0, np.abs(got - want) / (tolerance * (1 + np.abs(want))))
            worst = max(worst, float(np.where(np.isnan(error), np.inf, error).max(initial=0.0)))
        return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    programs = [Program(rng, f"p{i}") for i in range(args.programs)]
    module = Module("".join(p.function() for p in programs), optimize="-O1")
    failed, worst = 0, 0.0
    for p in programs:
        error = p.error(module)
        worst = max(worst, error)
        if error > 1:
            failed += 1
            print(f"seed {args.seed} {p.name}: {error:.3g} of the tolerance, sizes {p.sizes}, maps {p.outs_map} {p.rows_map}")
    print(f"worst error / tolerance: {worst:.3f}")
    print(f"{len(programs) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
