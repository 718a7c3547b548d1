# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random matmuls with an add, executed before and after the fold.

    python -m relattn.testing.random_linalg --programs 100 --seed 1

Each program is a contraction, moves of its shape, and an add, in a form drawn
from those that frontends write. Its results before and after
relattn-fold-bias-into-scores are compared with NumPy in float64. Prints how
often each form was drawn and folded; exits with 1 if a result is out of
tolerance or a form never folded.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter

import numpy as np

from relattn.jit import Module, _tool

TYPES = {"f32": np.float32, "f64": np.float64, "i32": np.int32}
H = 6


class Program:
    """One function `@p(q, k, bias, out)`, its inputs and its oracle."""

    def __init__(self, rng, name):
        pick = lambda *options: options[rng.integers(len(options))]
        self.name, self.type = name, pick(*TYPES)
        self.contraction = pick("batch_matmul", "transposed generic", "key first", "contract")
        self.move = pick("none", "expand", "transpose", "expand and transpose", "cast")
        self.add = pick("linalg.add", "arith", "generic", "generic swapped", "two adds",
                        "scaled bias", "later work", "in place")
        self.bias = "full" if self.add in ("linalg.add", "arith", "in place") else pick(
            "full", "per head", "row", "unit map")
        self.zero = pick("fill", "negative zero", "constant")
        self.dynamic = bool(rng.integers(2)) and self.zero != "constant"
        m, n, d = (int(rng.integers(1, 20)) for _ in range(3))
        self.m, self.n, self.d = m, n, d
        self.forms = [f"contraction {self.contraction}", f"move {self.move}", f"add {self.add}",
                      f"bias {self.bias}", f"zero {self.zero}", f"type {self.type}",
                      "sizes dynamic" if self.dynamic else "sizes static"]
        draw = lambda *shape: (
            rng.integers(-9, 9, shape) if self.type == "i32" else rng.standard_normal(shape)
        ).astype(TYPES[self.type])
        self.q, self.k = draw(H, m, d), draw(H, n, d) if "batch" not in self.contraction else draw(H, d, n)
        # The layout of the add: [H, m, n], split and transposed by the moves.
        self.shape = [2, 3] if "expand" in self.move else [H]
        self.shape += [n, m] if "transpose" in self.move else [m, n]
        head = len(self.shape) - 2
        self.bias_dims = {"full": list(range(len(self.shape))), "per head": list(range(head)),
                          "row": [len(self.shape) - 1], "unit map": None}[self.bias]
        bias_shape = ([1] + self.shape[1:] if self.bias == "unit map"
                      else [self.shape[i] for i in self.bias_dims])
        self.b = draw(*bias_shape)
        if self.type != "i32" and self.add == "two adds" and rng.integers(2):
            self.b.flat[0] = -np.inf

    def oracle(self):
        """(result, tolerance) in float64."""
        q, k, b = (x.astype(np.float64) for x in (self.q, self.k, self.b))
        product = (lambda x, y: x @ y) if "batch" in self.contraction else (
            lambda x, y: x @ y.swapaxes(1, 2))
        def moved(x):
            x = x.reshape(2, 3, self.m, self.n) if "expand" in self.move else x
            return x.swapaxes(-1, -2) if "transpose" in self.move else x
        scores, terms = moved(product(q, k)), moved(product(abs(q), abs(k)))
        if self.bias == "unit map":
            spread = np.broadcast_to(b, self.shape)
        else:
            spread = np.broadcast_to(
                b.reshape([s if i in self.bias_dims else 1 for i, s in enumerate(self.shape)]),
                self.shape)
        added = {"two adds": 2 * spread, "scaled bias": 3 * spread}.get(self.add, spread)
        result = scores + added
        eps = 0.0 if self.type == "i32" else np.finfo(TYPES[self.type]).eps
        with np.errstate(all="ignore"):
            bound = (self.d + 3) * eps * (np.where(np.isfinite(added), abs(added), 0) + terms)
        if self.add == "later work":
            result = 2 * result
            bound = 2 * bound
        return result, bound

    def function(self):
        t, m, n, d = self.type, self.m, self.n, self.d
        size = lambda s: "?" if self.dynamic else str(s)
        tensor = lambda dims: f"tensor<{'x'.join([*map(str, dims), t])}>"
        s_type = tensor([H, size(m), size(n)])
        k_dims = [H, d, size(n)] if "batch" in self.contraction else [H, size(n), d]
        q_type, k_type = tensor([H, size(m), d]), tensor(k_dims)
        heads = [2, 3] if "expand" in self.move else [H]
        shape = heads + ([size(n), size(m)] if "transpose" in self.move else [size(m), size(n)])
        r_type = tensor(shape)
        if self.bias == "unit map":
            b_type = tensor([1, *shape[1:]])
        else:
            b_type = tensor([shape[i] for i in self.bias_dims])
        buffer = lambda x: x.replace("tensor", "memref")
        zero = "0" if t == "i32" else ("-0.0" if self.zero == "negative zero" else "0.0")
        f = "i" if t == "i32" else "f"
        dyn = lambda *values: ", ".join(values) if self.dynamic else ""
        body = [
            f"%q = bufferization.to_tensor %qb restrict : {buffer(q_type)} to {q_type}",
            f"%k = bufferization.to_tensor %kb restrict : {buffer(k_type)} to {k_type}",
            f"%b = bufferization.to_tensor %bb restrict : {buffer(b_type)} to {b_type}",
            "%c1 = arith.constant 1 : index", "%c2 = arith.constant 2 : index",
            f"%m = tensor.dim %q, %c1 : {q_type}",
            f"%n = tensor.dim %k, %c{2 if 'batch' in self.contraction else 1} : {k_type}",
        ]
        if self.zero == "constant":
            body.append(f"%zeros = arith.constant dense<{zero}> : {s_type}")
        else:
            body += [f"%z = arith.constant {zero} : {t}",
                     f"%e = tensor.empty({dyn('%m', '%n')}) : {s_type}",
                     f"%zeros = linalg.fill ins(%z : {t}) outs(%e : {s_type}) -> {s_type}"]
        space = "(h, m, n, d) -> "
        maps = [f"affine_map<{space}(h, m, d)>", f"affine_map<{space}(h, n, d)>"]
        out_map = f"affine_map<{space}(h, m, n)>"
        if self.contraction == "batch_matmul":
            body.append(f"%s0 = linalg.batch_matmul ins(%q, %k : {q_type}, {k_type}) "
                        f"outs(%zeros : {s_type}) -> {s_type}")
        elif self.contraction == "contract":
            body.append(f"%s0 = linalg.contract indexing_maps = [{', '.join([*maps, out_map])}] "
                        f"ins(%q, %k : {q_type}, {k_type}) outs(%zeros : {s_type}) -> {s_type}")
        else:
            operands, types = ["%q", "%k"], [q_type, k_type]
            if self.contraction == "key first":
                operands, types, maps = operands[::-1], types[::-1], maps[::-1]
            body.append(
                f"%s0 = linalg.generic {{indexing_maps = [{', '.join([*maps, out_map])}], "
                'iterator_types = ["parallel", "parallel", "parallel", "reduction"]} '
                f"ins({', '.join(operands)} : {', '.join(types)}) outs(%zeros : {s_type}) {{\n"
                f"  ^bb0(%x: {t}, %y: {t}, %acc: {t}):\n    %p = arith.mul{f} %x, %y : {t}\n"
                f"    %u = arith.add{f} %p, %acc : {t}\n    linalg.yield %u : {t}\n  }} -> {s_type}")
        scores, current = "%s0", s_type
        if "expand" in self.move:
            expanded = tensor([2, 3, size(m), size(n)])
            sizes = f"2, 3, {'%m' if self.dynamic else m}, {'%n' if self.dynamic else n}"
            body.append(f"%s1 = tensor.expand_shape {scores} [[0, 1], [2], [3]] "
                        f"output_shape [{sizes}] : {current} into {expanded}")
            scores, current = "%s1", expanded
        if self.move == "cast":
            cast = f"tensor<{H}x?x?x{t}>"
            body += [f"%s1 = tensor.cast {scores} : {current} to {cast}",
                     f"%s2 = tensor.cast %s1 : {cast} to {current}"]
            scores = "%s2"
        order = ["%n", "%m"] if "transpose" in self.move else ["%m", "%n"]
        body.append(f"%re = tensor.empty({dyn(*order)}) : {r_type}")
        if "transpose" in self.move:
            last = len(shape)
            permutation = [*range(last - 2), last - 1, last - 2]
            body += [f"%te = tensor.empty({dyn(*order)}) : {r_type}",
                     f"%s3 = linalg.transpose ins({scores} : {current}) outs(%te : {r_type}) "
                     f"permutation = {permutation}"]
            scores = "%s3"
        dims = [f"d{i}" for i in range(len(shape))]
        head = f"affine_map<({', '.join(dims)}) -> "
        identity = head + f"({', '.join(dims)})>"
        if self.bias == "unit map":
            b_map = head + f"({', '.join(['0', *dims[1:]])})>"
        else:
            b_map = head + f"({', '.join(dims[i] for i in self.bias_dims)})>"
        if self.add == "linalg.add":
            body.append(f"%r = linalg.add ins({scores}, %b : {r_type}, {b_type}) "
                        f"outs(%re : {r_type}) -> {r_type}")
        elif self.add == "arith":
            body.append(f"%r = arith.add{f} {scores}, %b : {r_type}")
        else:
            lines = {
                "generic": [f"%v = arith.add{f} %s, %w : {t}"],
                "generic swapped": [f"%v = arith.add{f} %w, %s : {t}"],
                "in place": [f"%v = arith.add{f} %w, %s : {t}"],
                "two adds": [f"%a = arith.add{f} %s, %w : {t}", f"%v = arith.add{f} %w, %a : {t}"],
                "scaled bias": [f"%c = arith.constant {'3' if t == 'i32' else '3.0'} : {t}",
                                f"%a = arith.mul{f} %w, %c : {t}", f"%v = arith.add{f} %s, %a : {t}"],
                "later work": [f"%a = arith.add{f} %s, %w : {t}", f"%v = arith.add{f} %a, %a : {t}"],
            }[self.add]
            loops = ", ".join(['"parallel"'] * len(shape))
            if self.add == "in place":
                ins, in_types, in_maps = "%b", b_type, [b_map]
                arguments, outs = f"%w: {t}, %s: {t}", scores
            else:
                ins, in_types, in_maps = f"%b, {scores}", f"{b_type}, {r_type}", [b_map, identity]
                arguments, outs = f"%w: {t}, %s: {t}, %o: {t}", "%re"
            inner = "\n    ".join([*lines, f"linalg.yield %v : {t}"])
            body.append(
                f"%r = linalg.generic {{indexing_maps = [{', '.join([*in_maps, identity])}], "
                f"iterator_types = [{loops}]}} ins({ins} : {in_types}) outs({outs} : {r_type}) {{\n"
                f"  ^bb0({arguments}):\n    {inner}\n  }} -> {r_type}")
        body.append(f"bufferization.materialize_in_destination %r in restrict writable %ob "
                    f": ({r_type}, {buffer(r_type)}) -> ()")
        text = "\n  ".join(body)
        return (f"func.func @{self.name}(%qb: {buffer(q_type)}, %kb: {buffer(k_type)}, "
                f"%bb: {buffer(b_type)}, %ob: {buffer(r_type)}) "
                f"attributes {{llvm.emit_c_interface}} {{\n  {text}\n  return\n}}\n")

    def run(self, module):
        """The error of one execution, over its tolerance; checks the inputs."""
        out = np.zeros(self.shape, TYPES[self.type])
        before = [x.copy() for x in (self.q, self.k, self.b)]
        module.call(self.name, self.q, self.k, self.b, out)
        for old, new in zip(before, (self.q, self.k, self.b)):
            if not np.array_equal(old, new):
                return np.inf  # an input was overwritten
        expected, bound = self.oracle()
        with np.errstate(all="ignore"):
            error = np.abs(out.astype(np.float64) - expected) / np.maximum(bound, 1e-300)
        error = np.where(out == expected, 0.0, error)
        return np.inf if np.isnan(error).any() else float(error.max(initial=0.0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    drawn, folded, failed, worst, done = Counter(), Counter(), 0, 0.0, 0
    while done < args.programs:
        rng = np.random.default_rng([args.seed, done])
        count = min(100, args.programs - done)
        programs = [Program(rng, f"p{i}") for i in range(count)]
        text = "".join(p.function() for p in programs)
        remarks = subprocess.run(
            [_tool("relattn-opt"), "--relattn-fold-bias-into-scores", "--remarks-filter=relattn"],
            input=text, text=True, capture_output=True, check=True)
        hit = set(re.findall(r"\[Passed\] FoldBiasIntoScores .*Function=(p\d+)", remarks.stderr))
        plain = Module(text, optimize="-O1")
        fused = Module(text, ("--relattn-fold-bias-into-scores", "--relattn-to-cpu"), optimize="-O1")
        for program in programs:
            drawn.update(program.forms)
            folded.update(program.forms if program.name in hit else [])
            errors = program.run(plain), program.run(fused)
            worst = max(worst, *errors)
            if max(errors) > 1:
                failed += 1
                print(f"seed {args.seed} chunk {done} {program.name}: before {errors[0]:.3g}, "
                      f"after {errors[1]:.3g} of the tolerance: {', '.join(program.forms)}")
        done += count
    for form in sorted(drawn):
        print(f"  {folded[form]:5d} of {drawn[form]:5d} folded: {form}")
    never = [form for form in drawn if not folded[form]]
    if never:
        print("never folded:", ", ".join(never))
    print(f"worst error / tolerance: {worst:.3f}")
    print(f"{done - failed} passed, {failed} failed")
    return bool(failed or never)


if __name__ == "__main__":
    sys.exit(main())
