# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random scaled and biased matmuls, executed before and after the rewrites.

    python -m relattn.testing.random_linalg --programs 20000 --seed 1

Each program composes contraction, layout, scale, moves, bias, mask and add in
forms that frontends write, and some that must be refused. Its results before
and after relattn-remove-scaling and relattn-fold-bias-into-scores (in either
order, the former every other time with allow-reassociation) are compared with
NumPy in float64, and neither changes what it has done. Prints how often each form was drawn and rewritten. Exits with
1 if a result is out of tolerance, a form was never rewritten, or one that must
be refused was.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter

import numpy as np

from relattn.jit import Module, find_tool
from relattn.testing.linalg_program import Dim, Program, Value, spread

#: Forms that a rewrite must leave alone.
REFUSED_FOLD = {"bias none", "type f16", "user of the scores", "add reduction", "add transposing name",
                "contraction onto a bias", "add scores twice"}
REFUSED_SCALE = {"scale none", "user of the scores after contraction"}


class Composer:
    """Draws one program; `forms` says which choices it made."""

    def __init__(self, rng, name):
        self.rng, self.forms = rng, []
        self.p = Program(name, self.pick("f32", "f32", "f32", "f64", "i32", "f16"))
        self.form("type", self.p.element)
        self.compose()

    def pick(self, *options):
        return options[self.rng.integers(len(options))]

    def chance(self, probability):
        return self.rng.random() < probability

    def form(self, kind, what):
        self.forms.append(f"{kind} {what}")
        return what

    def draw(self, dims):
        shape = [d.size if d is not None else 1 for d in dims]
        return self.rng.integers(-9, 9, shape) if not self.p.is_float else self.rng.standard_normal(shape)

    # -- scale ----------------------------------------------------------------

    def draw_factor(self):
        factor = self.pick(0.125, 0.5, 2.0, 0.3, 0.20412414, -0.25, 1.0)
        return self.p.round(factor)

    def factor_lines(self, factor, divide):
        """(operand for a generic or None, body lines, name of the number)."""
        p, t = self.p, self.p.element
        written = 1.0 / factor if divide else factor
        source = self.form("factor", self.pick("in body", "outside", "rank 0", "rank 0 f64", "fill", "reciprocal",
                                               "run time", "one element"))
        if source == "in body":
            return None, [f"%c = arith.constant {p.number(written)} : {t}"], "%c"
        if source == "outside":
            return None, [], p.emit(f"arith.constant {p.number(written)} : {t}")
        if source == "reciprocal":
            lines = [f"%one = arith.constant 1.0 : {t}", f"%r = arith.constant {p.number(1.0 / written)} : {t}",
                     f"%c = arith.divf %one, %r : {t}"]
            return None, lines, "%c"
        if source == "rank 0":
            operand = p.emit(f"arith.constant dense<{p.number(written)}> : tensor<{t}>")
        elif source == "one element":
            operand = p.emit(f"arith.constant dense<{p.number(written)}> : tensor<1x{t}>")
            return (operand, f"tensor<1x{t}>", [None]), [], "%factor"
        elif source == "fill":
            operand = p.filled([], written)
        elif source == "run time":
            operand = p.argument([], np.array(written)).name
        else:
            operand = p.emit(f"arith.constant dense<{float(written):.17e}> : tensor<f64>")
            if t != "f64":
                return (operand, "tensor<f64>", []), [f"%c = arith.truncf %factor : f64 to {t}"], "%c"
            return (operand, "tensor<f64>", []), [], "%factor"
        return (operand, f"tensor<{t}>", []), [], "%factor"

    def scaled_data(self, value, factor):
        # What is written need not be the factor itself; two roundings more.
        self.p.rounds += 3
        return value.data * factor, value.magnitude * abs(factor)

    def scale(self, value, factor):
        """`value` times `factor`, as an op of its own."""
        p, t = self.p, self.p.element
        divide = self.chance(0.4)
        verb = "div" if divide else "mul"
        self.form("by", verb)
        kind = p.tensor(value.dims)
        static = not any(d.dynamic for d in value.dims)
        op = self.form("scale op", self.pick("generic", "generic", "named", "elementwise", "arith"))
        flags = " fastmath<reassoc>" if self.chance(0.5) else ""
        if op == "generic":
            operand, lines, number = self.factor_lines(factor, divide)
            operands = [(value.name, kind, value.dims)]
            if operand:
                operands.append(operand)
                number = number.replace("%factor", "%in1")
                lines = [line.replace("%factor", "%in1") for line in lines]
            sides = ["%in0", number] if divide or self.chance(0.5) else [number, "%in0"]
            name = p.generic(value.dims, operands,
                             [*lines, f"%y = arith.{verb}f {', '.join(sides)}{flags} : {t}", "%y"])
        else:
            written = 1.0 / factor if divide else factor
            other = p.splat(value.dims, written) if static and self.chance(0.5) else p.filled(value.dims, written)
            if op == "arith":
                name = p.emit(f"arith.{verb}f {value.name}, {other}{flags} : {kind}")
            else:
                head = f"linalg.{verb}" if op == "named" else (
                    f"linalg.elementwise kind=#linalg.elementwise_kind<{verb}>")
                name = p.emit(f"{head} ins({value.name}, {other} : {kind}, {kind}) "
                              f"outs({p.empty(value.dims)} : {kind}) -> {kind}")
        return Value(name, value.dims, *self.scaled_data(value, factor))

    # -- contraction ----------------------------------------------------------

    def contract(self):
        """Scores, with everything that stands before them."""
        p, t = self.p, self.p.element
        dynamic = self.form("sizes", self.pick("static", "dynamic")) == "dynamic"
        size = lambda: int(self.rng.integers(1, 20))
        m, n, d = Dim(size(), dynamic), Dim(size(), dynamic), Dim(size(), dynamic and self.chance(0.2))
        batch = self.pick([], [Dim(6)], [Dim(2), Dim(3)])
        self.form("batch dimensions", len(batch))
        form = self.form("contraction", self.pick(
            *{0: ["matmul", "matmul maps", "generic", "contract", "vecmat", "matvec"],
              1: ["batch_matmul", "batch_matmul maps", "generic", "contract", "generic key first"],
              2: ["generic", "contract", "generic key first"]}[len(batch)]))
        named = "generic" not in form and form != "contract"
        q_dims, k_dims, out_dims = [*batch, m, d], [*batch, d, n], [*batch, m, n]
        if form == "vecmat":
            q_dims, out_dims = [d], [n]
        if form == "matvec":
            k_dims, out_dims = [d], [m]
        if "maps" in form:
            k_dims = [*batch, n, d]
        if not named:
            layout = self.form("layout", self.pick("heads first", "sequence first", "any"))
            q_dims, k_dims = [*batch, m, d], [*batch, n, d]
            if layout == "sequence first" and batch:
                q_dims, k_dims = [*batch[:-1], m, batch[-1], d], [*batch[:-1], n, batch[-1], d]
            elif layout == "any":
                shuffle = lambda dims: [dims[i] for i in self.rng.permutation(len(dims))]
                q_dims, k_dims, out_dims = shuffle(q_dims), shuffle(k_dims), shuffle(out_dims)
        p.rounds += d.size

        place = "none"
        if p.is_float:
            place = self.pick("none", "query", "key", "key before transpose", "roots on both", "scores", "scores",
                              "after bias", "in the add", "after the add in one body", "query and scores")
            if form in ("vecmat", "matvec") and "transpose" in place:
                place = "key"
        self.place = self.form("scale", place)
        self.factor = self.draw_factor()
        if place in ("key before transpose",) or (named and len(k_dims) > 1 and self.chance(0.3)):
            # The key is stored the other way and transposed.
            stored = [*k_dims[:-2], k_dims[-1], k_dims[-2]]
            k = p.argument(stored, self.draw(stored))
            if place == "key before transpose":
                k = self.scale(k, self.factor)
            rank = len(k_dims)
            k = p.transpose(k, [*range(rank - 2), rank - 1, rank - 2])
        elif self.form("key", "constant" if not dynamic and not d.dynamic and self.chance(0.1) else "argument") == "constant":
            k = p.constant(k_dims, self.draw(k_dims))
        else:
            k = p.argument(k_dims, self.draw(k_dims))
        q = p.argument(q_dims, self.draw(q_dims))
        # A size that no argument before named.
        if self.chance(0.3) and p.is_float:
            self.form("query", "computed")
            name = p.generic(q.dims, [(q.name, p.tensor(q.dims), q.dims)],
                             [f"%y = arith.addf %in0, %in0 : {t}", "%y"])
            q = Value(name, q.dims, 2 * q.data, 2 * q.magnitude)
        if place in ("query", "query and scores"):
            q = self.scale(q, self.factor)
        if place == "key":
            k = self.scale(k, self.factor)
        if place == "roots on both":
            root = p.round(abs(self.factor) ** 0.5)
            q, k = self.scale(q, root), self.scale(k, root)
        scores = self.contraction(form, q, k, out_dims, batch, (m, n, d))
        if place in ("scores", "query and scores"):
            scores = self.scale(scores, self.factor)
        return scores

    def contraction(self, form, q, k, out_dims, batch, mnd):
        p, t = self.p, self.p.element
        m, n, d = mnd
        loops = [x for x in [*batch, m, n, d] if x in q.dims or x in k.dims]
        axes = {dim: "abcdefgh"[i] for i, dim in enumerate(loops)}
        sub = lambda dims: "".join(axes[x] for x in dims)
        formula = f"{sub(q.dims)},{sub(k.dims)}->{sub(out_dims)}"
        data = np.einsum(formula, q.data, k.data)
        magnitude = np.einsum(formula, q.magnitude, k.magnitude)
        zero = self.form("zero", self.pick("fill", "negative zero", "constant", "generic"))
        kind = p.tensor(out_dims)
        static = not any(x.dynamic for x in out_dims)
        if zero == "constant" and static:
            zeros = p.splat(out_dims, 0)
        elif zero == "negative zero" and p.is_float:
            zeros = p.filled(out_dims, -0.0)
        elif zero == "generic":
            c = p.emit(f"arith.constant {p.number(0)} : {t}")
            zeros = p.generic(out_dims, [(c, t, [])], ["%in0"])
        else:
            zeros = p.filled(out_dims, 0)
        if self.chance(0.05):
            self.forms.append("contraction onto a bias")
            start = p.argument(out_dims, self.draw(out_dims))
            zeros, data, magnitude = start.name, data + start.data, magnitude + start.magnitude
        elif self.chance(0.05):
            self.forms.append("contraction onto a computed bias")
            start = p.argument(out_dims, self.draw(out_dims))
            zeros = p.generic(out_dims, [(start.name, kind, out_dims)],
                              [f"%y = arith.add{p.f} %in0, %in0 : {t}", "%y"])
            data, magnitude = data + 2 * start.data, magnitude + 2 * start.magnitude
        q_map, k_map, out_map = (p.map(x, loops) for x in (q.dims, k.dims, out_dims))
        operands = [(q.name, p.tensor(q.dims), q_map, q.dims), (k.name, p.tensor(k.dims), k_map, k.dims)]
        if "first" in form:
            operands.reverse()
        ins = f"ins({operands[0][0]}, {operands[1][0]} : {operands[0][1]}, {operands[1][1]})"
        outs = f"outs({zeros} : {kind}) -> {kind}"
        maps = f"[{operands[0][2]}, {operands[1][2]}, {out_map}]"
        if "generic" in form:
            sides = ["%acc", "%x"] if self.chance(0.5) else ["%x", "%acc"]
            flags = self.pick("", "", " fastmath<reassoc,contract>") if p.is_float else ""
            iterators = ", ".join('"reduction"' if x is d else '"parallel"' for x in loops)
            name = p.emit(
                f"linalg.generic {{indexing_maps = {maps}, iterator_types = [{iterators}]}} {ins} outs({zeros} : {kind}) {{\n"
                f"    ^bb0(%l: {t}, %r: {t}, %acc: {t}):\n      %x = arith.mul{p.f} %l, %r{flags} : {t}\n"
                f"      %y = arith.add{p.f} {', '.join(sides)}{flags} : {t}\n      linalg.yield %y : {t}\n  }} -> {kind}")
        elif form == "contract":
            name = p.emit(f"linalg.contract indexing_maps = {maps} {ins} {outs}")
        elif "maps" in form:
            name = p.emit(f"linalg.{form.split()[0]} indexing_maps = {maps} {ins} {outs}")
        else:
            name = p.emit(f"linalg.{form} {ins} {outs}")
        return Value(name, list(out_dims), data, magnitude)

    # -- moves, bias, mask ----------------------------------------------------

    def move(self, scores):
        p = self.p
        moves = ["none", "none", "cast"]
        leading = scores.dims[0]
        if len(scores.dims) == 3 and not leading.dynamic and leading.size == 6:
            moves += ["expand", "expand and transpose"]
        if len(scores.dims) == 4 and not any(x.dynamic for x in scores.dims[:2]):
            moves.append("collapse")
        if len(scores.dims) >= 2:
            moves.append("transpose")
        move = self.form("move", self.pick(*moves))
        if "expand" in move:
            scores = p.expand(scores, 0, 2)
        if move == "collapse":
            scores = p.collapse(scores)
        if move == "cast":
            scores = p.cast(scores)
        if "transpose" in move:
            rank = len(scores.dims)
            scores = p.transpose(scores, [*range(rank - 2), rank - 1, rank - 2])
        return scores

    def bias(self, dims):
        """(value, its dims within `dims`, where None is a unit dimension)."""
        p, t = self.p, self.p.element
        kinds = ["full", "full", "row", "column", "unit map", "broadcast", "copy", "computed", "gather", "shared"]
        if not any(x.dynamic for x in dims):
            kinds.append("constant")
        kind = self.form("bias", self.pick(*kinds))
        if kind in ("full", "shared"):
            value = p.argument(dims, self.draw(dims))
            if kind == "shared":
                p.output(value)
            return value, list(dims)
        if kind == "row":
            return p.argument(dims[-1:], self.draw(dims[-1:])), list(dims[-1:])
        if kind == "column":
            return p.argument(dims[:-1], self.draw(dims[:-1])), list(dims[:-1])
        if kind == "unit map":
            unit = [None, *dims[1:]]
            return p.argument([Dim(1), *dims[1:]], self.draw(unit)), unit
        if kind == "constant":
            return p.constant(dims, self.draw(dims)), list(dims)
        if kind == "computed":
            source = p.argument(dims, self.draw(dims))
            name = p.generic(dims, [(source.name, p.tensor(dims), dims)],
                             [f"%y = arith.add{p.f} %in0, %in0 : {t}", "%y"])
            return Value(name, list(dims), 2 * source.data, 2 * source.magnitude), list(dims)
        if kind == "gather":
            rows = Dim(7)
            table = p.argument([rows], self.draw([rows]))
            ids = self.rng.integers(0, 7, [x.size for x in dims])
            index = p.argument(dims, ids, "i32")
            name = p.generic(dims, [(index.name, p.tensor(dims, "i32"), dims)],
                             ["%i = arith.index_cast %in0 : i32 to index",
                              f"%y = tensor.extract {table.name}[%i] : {p.tensor([rows])}", "%y"])
            return Value(name, list(dims), table.data[ids], table.magnitude[ids]), list(dims)
        row = p.argument(dims[-1:], self.draw(dims[-1:]))
        shape = [x.size for x in dims]
        if kind == "broadcast":
            name = p.emit(f"linalg.broadcast ins({row.name} : {p.tensor(row.dims)}) outs({p.empty(dims)} : "
                          f"{p.tensor(dims)}) dimensions = {list(range(len(dims) - 1))}")
        else:
            name = p.generic(dims, [(row.name, p.tensor(row.dims), row.dims)], ["%in0"])
        data = np.broadcast_to(row.data, shape)
        return Value(name, list(dims), data, np.abs(data)), list(dims)

    def mask(self, dims):
        p = self.p
        kind = self.form("mask", self.pick("none", "none", "row", "-inf", "lowest") if p.is_float and p.element != "f16"
                         else self.pick("none", "row"))
        if kind == "none":
            return None
        over = list(dims[-1:]) if kind == "row" or self.chance(0.5) else list(dims)
        data = self.draw(over)
        if kind != "row":
            hidden = self.rng.random(data.shape) < 0.3
            data = np.where(hidden, -np.inf if kind == "-inf" else -1e30, 0.0)
        return p.argument(over, data), over

    # -- the add --------------------------------------------------------------

    def added(self, scores, terms):
        """Data and magnitude of the sum. Infinities need no tolerance."""
        data, magnitude = scores.data, scores.magnitude
        with np.errstate(all="ignore"):
            for value, dims in terms:
                data = data + spread(value.data, dims, scores.dims)
                finite = np.where(np.isfinite(value.magnitude), value.magnitude, 0.0)
                magnitude = magnitude + spread(finite, dims, scores.dims)
        return data, magnitude

    def add(self, scores):
        p, t, dims = self.p, self.p.element, scores.dims
        kind = p.tensor(dims)
        if self.chance(0.12):
            self.form("bias", "none")
            return scores
        terms = [self.bias(dims)]
        mask = self.mask(dims)
        order = self.form("mask added", self.pick("to the bias", "with it", "before it")) if mask else ""
        if order == "before it":
            # An add of its own.
            (k, k_dims) = mask
            name = p.generic(dims, [(scores.name, kind, dims), (k.name, p.tensor(k.dims), k_dims)],
                             [f"%y = arith.add{p.f} %in0, %in1 : {t}", "%y"])
            scores, mask = Value(name, dims, *self.added(scores, [mask])), None
        if order == "to the bias":
            # Bias and mask first, then the scores.
            (b, b_dims), (k, k_dims) = terms[0], mask
            name = p.generic(dims, [(b.name, p.tensor(b.dims), b_dims), (k.name, p.tensor(k.dims), k_dims)],
                             [f"%y = arith.add{p.f} %in0, %in1 : {t}", "%y"])
            zero = Value("", list(dims), np.zeros(scores.shape), np.zeros(scores.shape))
            terms, mask = [(Value(name, list(dims), *self.added(zero, [*terms, mask])), list(dims))], None
        if mask:
            terms.append(mask)
        first, first_dims = terms[0]
        is_full = len(terms) == 1 and first_dims == list(dims)
        place = self.place
        options = ["generic", "generic swapped", "in place", "later work"]
        if is_full and place not in ("in the add", "after the add in one body"):
            options += ["linalg.add", "elementwise", "arith"] * 2
            if len(dims) >= 2 and not order:
                options.append("transposing name")
        if place not in ("in the add", "after the add in one body", "after bias") and not order:
            options += ["reduction", "scores twice"]
        op = self.form("add", self.pick(*options))
        data, magnitude = self.added(scores, terms)
        if op in ("linalg.add", "elementwise", "arith", "transposing name"):
            pair = [scores.name, first.name] if self.chance(0.5) else [first.name, scores.name]
            if op == "arith":
                name = p.emit(f"arith.add{p.f} {', '.join(pair)} : {kind}")
            elif op == "transposing name":
                turned = [*dims[:-2], dims[-1], dims[-2]]
                name = p.emit(
                    f"linalg.elementwise kind=#linalg.elementwise_kind<add> indexing_maps = "
                    f"[{p.map(dims, turned)}, {p.map(dims, turned)}, {p.map(turned, turned)}] "
                    f"ins({', '.join(pair)} : {kind}, {kind}) outs({p.empty(turned)} : {p.tensor(turned)}) -> {p.tensor(turned)}")
                return Value(name, turned, data.swapaxes(-1, -2), magnitude.swapaxes(-1, -2))
            else:
                head = "linalg.add" if op == "linalg.add" else "linalg.elementwise kind=#linalg.elementwise_kind<add>"
                name = p.emit(f"{head} ins({', '.join(pair)} : {kind}, {kind}) outs({p.empty(dims)} : {kind}) -> {kind}")
            return Value(name, dims, data, magnitude)
        operands = [(value.name, p.tensor(value.dims), over) for value, over in terms]
        place_of_scores = f"%in{len(terms)}"
        if op == "reduction":
            # A sum over the last dimension that starts at 0.
            kept = dims[:-1]
            name = p.generic(dims, [(scores.name, kind, dims)],
                             [f"%y = arith.add{p.f} %in0, %out : {t}", "%y"], kept,
                             p.filled(kept, 0), reduction=dims[-1:])
            p.rounds += scores.shape[-1]
            return Value(name, kept, scores.data.sum(-1), scores.magnitude.sum(-1))
        outs = None
        if op == "in place":
            place_of_scores, outs = "%out", scores.name
        else:
            operands.append((scores.name, kind, dims))
        body, current = [], place_of_scores

        def scale(value):
            """Multiplies in the body: the product's name."""
            operand, lines, number = self.factor_lines(self.factor, False)
            if operand:
                slot = len(operands)
                operands.append(operand)
                number, lines = (number.replace("%factor", f"%in{slot}"),
                                 [line.replace("%factor", f"%in{slot}") for line in lines])
            flags = " fastmath<reassoc>" if self.chance(0.5) else ""
            body.extend([*lines, f"%sc = arith.mulf {value}, {number}{flags} : {t}"])
            return "%sc"

        if place == "in the add":
            current = scale(current)
            scores = Value("", dims, *self.scaled_data(scores, self.factor))
            data, magnitude = self.added(scores, terms)
        for i in range(len(terms)):
            pair = [current, f"%in{i}"] if op != "generic swapped" else [f"%in{i}", current]
            body.append(f"%s{i} = arith.add{p.f} {', '.join(pair)} : {t}")
            current = f"%s{i}"
        if op == "scores twice":
            body.append(f"%w = arith.add{p.f} {current}, {place_of_scores} : {t}")
            current = "%w"
            data, magnitude = data + scores.data, magnitude + scores.magnitude
        if op == "later work":
            body.append(f"%w = arith.add{p.f} {current}, {current} : {t}")
            current = "%w"
            data, magnitude = 2 * data, 2 * magnitude
        if place == "after the add in one body":
            current = scale(current)
            data, magnitude = self.scaled_data(Value("", dims, data, magnitude), self.factor)
        name = p.generic(dims, operands, [*body, current], outs=outs)
        return Value(name, dims, data, magnitude)

    def compose(self):
        scores = self.move(self.contract())
        if self.chance(0.06):
            self.forms.append("user of the scores")
            self.p.output(scores)
        result = self.add(scores)
        if self.place == "after bias":
            result = self.scale(result, self.factor)
        self.p.output(result)


def opt(text, flags):
    process = subprocess.run([find_tool("relattn-opt"), *flags], input=text, text=True, capture_output=True)
    if process.returncode:
        raise RuntimeError(process.stderr)
    return process


def is_fixed_point(text, scale, fold):
    """Whether a rewrite has nothing to do after itself, nor both after each
    other, once each has had its turn."""
    return all(opt(text, once).stdout == opt(text, [*once, *again]).stdout
               for once, again in ([[scale], [scale]], [[fold], [fold]],
                                   [[scale, fold] * 2, [scale, fold]]))


def rewritten(text, flags):
    """Names of the functions that each rewrite changed: (folded, scaled)."""
    remarks = opt(text, [*flags, "--remarks-filter=relattn"])
    find = lambda rewrite: set(re.findall(rf"\[Passed\] {rewrite} .*Function=(p\d+)", remarks.stderr))
    return find("FoldBiasIntoScores"), find("RemoveScaling")


def report(what, drawn, changed, forms, refused):
    """Prints the shares; gives the forms that were or were not rewritten."""
    print(f"{what}:")
    wrong = []
    for form in sorted(forms):
        print(f"  {changed[form]:6d} of {drawn[form]:6d}: {form}{' (refused)' if form in refused else ''}")
        if (changed[form] == 0) != (form in refused):
            wrong.append(form)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    drawn, folded, scaled = Counter(), Counter(), Counter()
    failed, moving, worst, done = 0, 0, 0.0, 0
    while done < args.programs:
        rng = np.random.default_rng([args.seed, done])
        chunk = done // 100
        count = min(100, args.programs - done)
        composers = [Composer(rng, f"p{i}") for i in range(count)]
        text = "".join(c.p.function() for c in composers)
        option = "=allow-reassociation" if chunk % 2 else ""
        flags = [f"--relattn-remove-scaling{option}", "--relattn-fold-bias-into-scores"]
        if not is_fixed_point(text, *flags[:2]):
            moving += 1
            print(f"seed {args.seed} chunk {done}: a second run changes the module")
        if chunk % 4 >= 2:
            flags = [*reversed(flags), flags[0]]
        hits = rewritten(text, flags)
        plain = Module(text, optimize="-O1")
        changed = Module(text, (*flags, "--relattn-to-cpu"), optimize="-O1")
        for c in composers:
            drawn.update(c.forms)
            folded.update(c.forms if c.p.name in hits[0] else [])
            scaled.update(c.forms if c.p.name in hits[1] else [])
            errors = c.p.run(plain), c.p.run(changed)
            worst = max(worst, *errors)
            if max(errors) > 1:
                failed += 1
                print(f"seed {args.seed} chunk {done} {c.p.name}: before {errors[0]:.3g}, "
                      f"after {errors[1]:.3g} of the tolerance: {', '.join(c.forms)}")
        done += count
    about_scale = [f for f in drawn if f.startswith(("scale", "factor", "by "))]
    others = [f for f in drawn if f not in about_scale]
    wrong = report("biases folded", drawn, folded, others, REFUSED_FOLD)
    wrong += report("scales moved", drawn, scaled, about_scale, REFUSED_SCALE)
    if wrong:
        print("never rewritten, or rewritten against the rule:", ", ".join(wrong))
    print(f"worst error / tolerance: {worst:.3f}")
    print(f"{done - failed} passed, {failed} failed")
    return bool(failed or moving or wrong)


if __name__ == "__main__":
    sys.exit(main())
