# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random `relattn.online_attention` and `relattn.merge`, as others' schedules
may write them, against their formulas in float64.

Any order of dimensions, static and dynamic sizes; steps with panels and rows,
strips in both directions, bias, masks, a scale, factors and addends of 16 bits, with
and without a bound of the keys;
merges of no part to several; states that have seen nothing.
"""

import argparse
import sys

import ml_dtypes
import numpy as np

from relattn.jit import Module
from relattn.testing.case import MLIR_TYPES

DTYPES = {"f32": np.float32, "f64": np.float64}


class Program:
    """A function that updates (out, max, sum) in place.

    Subclasses set `sizes`, `reads` and `state` (lists of (array, dimensions),
    dimensions in the order of the type), `exact` and `index`, an argument."""

    def __init__(self, rng, name):
        self.rng, self.name, self.index = rng, name, None
        self.kind = str(rng.choice(list(DTYPES)))
        self.dtype = DTYPES[self.kind]

    def draw(self, dims, scale, dtype=None):
        return np.asarray(self.rng.standard_normal([self.sizes[d] for d in dims]) * scale, dtype or self.dtype)

    def permuted(self, array, dims):
        """The array over `dims` in another order, and that order."""
        order = [int(i) for i in self.rng.permutation(len(dims))]
        return np.array(array.transpose(order), order="C"), [dims[i] for i in order]

    def shape(self, array, dims):
        return "x".join([*("?" if d in self.dynamic else str(s) for d, s in zip(dims, array.shape)), MLIR_TYPES[array.dtype]])

    def map(self, dims):
        names = list(self.sizes)
        return f"affine_map<({', '.join(names)}) -> ({', '.join(dims)})>"

    def function(self):
        operands = [*self.reads, *self.state]
        kinds = [self.shape(*x) for x in operands]
        arguments = [f"%a{i}: memref<{k}>" for i, k in enumerate(kinds)]
        arguments += ["%index: index"] if self.index is not None else []
        text = f"func.func @{self.name}({', '.join(arguments)}) attributes {{llvm.emit_c_interface}} {{\n"
        first = len(self.reads)
        for i, kind in enumerate(kinds):
            text += f"  %t{i} = bufferization.to_tensor %a{i} restrict{' writable' if i >= first else ''} : memref<{kind}> to tensor<{kind}>\n"
        types = [f"tensor<{k}>" for k in kinds]
        text += f"  %r:3 = {self.operation(types)}\n"
        for i in range(3):
            text += (f"  bufferization.materialize_in_destination %r#{i} in restrict writable %a{first + i} : "
                     f"({types[first + i]}, memref<{kinds[first + i]}>) -> ()\n")
        return text + "  return\n}\n"

    def outs(self, types):
        first = len(self.reads)
        return f"outs({', '.join(f'%t{first + i}' for i in range(3))} : {', '.join(types[first:])})"

    def error(self, module):
        """The largest error of a result over its tolerance."""
        arrays = [x.copy() for x, _ in [*self.reads, *self.state]]
        module.call(self.name, *arrays, *([] if self.index is None else [self.index]))
        worst = 0.0
        tolerance = self.roundings * np.finfo(self.dtype).eps
        for got, (_, dims), (want, own) in zip(arrays[len(self.reads):], self.state, self.exact):
            want = want.transpose([own.index(d) for d in dims])
            with np.errstate(invalid="ignore"):
                error = np.where(got == want, 0.0, np.abs(got - want) / (tolerance * (1 + np.abs(want))))
            worst = max(worst, float(np.where(np.isnan(error), np.inf, error).max(initial=0.0)))
        return worst

    def empty_rows(self, out, maximum, total):
        """Some rows have seen nothing."""
        empty = self.rng.random(maximum.shape) < 0.25
        maximum[empty], total[empty], out[empty] = -np.inf, 0.0, 0.0


class Merge(Program):
    #: A few of each term; where exp rounds more its value is small.
    roundings = 8

    def __init__(self, rng, name):
        super().__init__(rng, name)
        rows = [f"d{i}" for i in range(int(rng.integers(1, 3)))]
        self.sizes = {"s": int(rng.integers(0, 6)), **{d: int(rng.integers(1, 7)) for d in rows}, "e": int(rng.integers(1, 20))}
        # A size of 0 is dynamic: MLIR refuses some slices of static ones.
        self.dynamic = {d for d, size in self.sizes.items() if size == 0 or rng.random() < 0.4}
        all_rows = ["s", *rows]
        maxes, maximum = self.draw(all_rows, 20), self.draw(rows, 20)
        sums, total = np.abs(self.draw(all_rows, 3)) + 1, np.abs(self.draw(rows, 3)) + 1
        outs, out = self.draw([*all_rows, "e"], 2), self.draw([*rows, "e"], 2)
        self.empty_rows(outs, maxes, sums)
        self.empty_rows(out, maximum, total)

        wide = lambda x: x.astype(np.float64)
        new = np.maximum(wide(maximum), wide(maxes).max(axis=0, initial=-np.inf))
        shift = np.where(np.isneginf(new), 0.0, new)
        own, scales = np.exp(wide(maximum) - shift), np.exp(wide(maxes) - shift)
        self.exact = [(out * own[..., None] + (outs * scales[..., None]).sum(axis=0), [*rows, "e"]),
                      (new, rows), (total * own + (sums * scales).sum(axis=0), rows)]
        outs, outs_dims = self.permuted(outs, [*all_rows, "e"])
        order = [int(i) for i in rng.permutation(len(all_rows))]
        rows_dims = [all_rows[i] for i in order]
        self.maps = [outs_dims, rows_dims]
        self.reads = [(outs, outs_dims), *((np.array(x.transpose(order), order="C"), rows_dims) for x in (maxes, sums))]
        self.state = []
        for array, dims, whole in ((out, [*rows, "e"], outs_dims), (maximum, rows, rows_dims), (total, rows, rows_dims)):
            kept = [d for d in whole if d != "s"]
            self.state.append((np.array(array.transpose([dims.index(d) for d in kept]), order="C"), kept))

    def operation(self, types):
        return (f"relattn.merge ins(%t0, %t1, %t2 : {', '.join(types[:3])}) {self.outs(types)} "
                f"{{indexing_maps = [{', '.join(self.map(x) for x in self.maps)}]}}")


class Step(Program):
    #: Of scores up to 40, and of sums over up to 40 keys.
    roundings = 64

    def __init__(self, rng, name):
        super().__init__(rng, name)
        chance = lambda p: rng.random() < p
        m = 1 if chance(0.5) else int(rng.integers(2, 19))
        self.sizes = {"m": m, "n": int(rng.integers(0, 40)), "d": int(rng.integers(1, 40)), "e": int(rng.integers(1, 40))}
        n = self.sizes["n"]
        self.dynamic = {"n", "x"} if n == 0 or chance(0.6) else {"x"}
        wide = lambda x: x.astype(np.float64)
        narrow = [np.float16, ml_dtypes.bfloat16] if self.kind == "f32" else [self.dtype]
        factor = narrow[rng.integers(len(narrow))] if chance(0.3) else self.dtype
        # For one query some of them may be wide.
        of_query, of_key, of_value = [self.dtype if m == 1 and chance(0.3) else factor for _ in range(3)]
        query, key = self.draw("md", 1.5, of_query), self.draw("nd", 1, of_key)
        value, out = self.draw("ne", 1, of_value), self.draw("me", 1)
        maximum, total = self.draw("m", 5), np.abs(self.draw("m", 3)) + 1
        self.empty_rows(out, maximum, total)
        scale = float(rng.choice([1.0, 1.0, 0.25, -0.75, 0.0]))
        scores = scale * (wide(query) @ wide(key).T)
        self.maps, self.parts, attributes = [], "", [] if scale == 1 else [f"scale = {scale}"]
        self.reads = []
        for array, dims in ((query, "md"), (key, "nd"), (value, "ne")):
            self.reads.append(self.permuted(array, list(dims)))
        out_permuted = self.permuted(out, ["m", "e"])
        self.maps = [x[1] for x in self.reads] + [out_permuted[1]]
        if chance(0.6):
            # One place more on either side than is read.
            self.ascending = chance(0.5)
            self.index = 1 + (m - 1 if self.ascending else max(n - 1, 0))
            strip = np.asarray(rng.standard_normal(m + max(n, 1) + 1), self.dtype)
            self.strip = len(self.reads)
            self.reads.append((strip, ["x"]))
            i, j = np.arange(m)[:, None], np.arange(n)[None, :]
            scores = scores + wide(strip)[self.index + (j - i if self.ascending else i - j)]
        else:
            self.strip = None
        self.more = []
        for what in ("bias", "mask"):
            if chance(0.6):
                continue
            # A bias of no dimension is one number.
            dims = [d for d in "mn" if chance(0.7)] or (["n"] if what == "mask" else [])
            array = self.draw(dims, 1, narrow[rng.integers(len(narrow))] if chance(0.3) else None)
            if what == "mask":
                seen = rng.random(array.shape) < 0.7
                array = seen if chance(0.5) else np.asarray(np.where(seen, array.astype(np.float64), -np.inf), array.dtype)
            number = np.where(array, 0.0, -np.inf) if array.dtype == bool else wide(array)
            scores = scores + number.reshape([self.sizes[d] if d in dims else 1 for d in "mn"])
            array, dims = self.permuted(array, dims)
            self.more.append((what, len(self.reads)))
            attributes.append(f"{what}_map = {self.map(dims)}")
            self.reads.append((array, dims))
        if "n" in self.dynamic and chance(0.6):
            attributes.append(f"max_keys = {n + int(rng.integers(1, 9))} : i64")
        self.attributes = attributes

        new = np.maximum(wide(maximum), scores.max(axis=1, initial=-np.inf))
        shift = np.where(np.isneginf(new), 0.0, new)
        own, weights = np.exp(wide(maximum) - shift), np.exp(scores - shift[:, None])
        self.exact = [(out * own[:, None] + weights @ wide(value), ["m", "e"]), (new, ["m"]),
                      (total * own + weights.sum(axis=1), ["m"])]
        self.state = [out_permuted, (maximum, ["m"]), (total, ["m"])]

    def operation(self, types):
        text = f"relattn.online_attention ins(%t0, %t1, %t2 : {', '.join(types[:3])})"
        if self.strip is not None:
            text += f" strip(%t{self.strip} at %index{' ascending' if self.ascending else ''} : {types[self.strip]})"
        for what, i in self.more:
            text += f" {what}(%t{i} : {types[i]})"
        maps = ", ".join(self.map(x) for x in self.maps)
        return f"{text} {self.outs(types)} {{{', '.join([f'indexing_maps = [{maps}]', *self.attributes])}}}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pipeline", default="relattn-to-cpu", help="a flag of relattn-opt, without the dashes")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    programs = [(Merge if i % 3 == 0 else Step)(rng, f"p{i}") for i in range(args.programs)]
    text = "".join(p.function() for p in programs)
    module = Module(text, (f"--{args.pipeline}",), optimize="-O1")
    failed, worst = 0, 0.0
    for p in programs:
        error = p.error(module)
        worst = max(worst, error)
        if error > 1:
            failed += 1
            print(f"seed {args.seed} {p.name}: {error:.3g} of the tolerance\n{p.function()}")
    print(f"worst error / tolerance: {worst:.3f}")
    print(f"{len(programs) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
