# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention as frontends write it, in every combination of their habits.

A `FrontendProgram` draws one function of plain linalg on tensors and what it
computes in float64. `forms` says which habits it has; `look_alike` names the one
change, if any, that makes it no attention, or another one.
"""

import numpy as np

from relattn.testing.linalg_program import TYPES, Dim, Program, Value, spread

#: -inf, and the lowest number of each type.
INFINITY = {"f16": "0xFC00", "bf16": "0xFF80", "f32": "0xFF800000", "f64": "0xFFF0000000000000"}
LOWEST = {"f16": "-65504.0", "bf16": "0xFF7F", "f32": "-3.40282347E+38", "f64": "-1.7976931348623157E+308"}
#: How far results may be off, relative to 1 + |result|: frontends round every
#: step of a half-precision program, sums over the keys included.
TOLERANCE = {"f16": 3e-2, "bf16": 2e-1, "f32": 1e-4, "f64": 1e-11}
T5_PARAMETERS = [(32, 128), (8, 20), (16, 64), (32, 32), (64, 256)]
LOOK_ALIKES = ["softmax over queries", "maximum of another tensor", "sum of another tensor",
               "sum starts at one", "values start at one", "reversed subtraction", "extra user",
               "dropout", "tanh", "altered bucket constant", "shifted table", "mirrored table",
               "one-hot beyond the table"]


def t5_bucket(offset, buckets, distance, bidirectional):
    """T5's bucket of each offset, by its own float32 formula."""
    offset = np.asarray(offset)
    base = np.zeros_like(offset)
    if bidirectional:
        buckets //= 2
        base = (offset > 0) * buckets
        n = np.abs(offset)
    else:
        n = np.maximum(-offset, 0)
    exact = buckets // 2
    with np.errstate(all="ignore"):
        ratio = np.log(n.astype(np.float32) / np.float32(exact)) / np.float32(np.log(distance / exact))
        large = exact + (ratio * np.float32(buckets - exact)).astype(np.float64)
    large = np.where(n == 0, exact, large)
    large = np.minimum(np.floor(large), buckets - 1).astype(np.int64)
    return base + np.where(n < exact, n, large)


class FrontendProgram(Program):
    """One function; `attentions` is how many a perfect recogniser finds."""

    def __init__(self, rng, name, look_alike=None, force=None):
        self.rng, self.forms, self.look_alike, self.force = rng, [], look_alike, force or {}
        super().__init__(name, self.choose("type", ("f32", "f32", "f32", "f64", "f16", "bf16")))
        self.t5 = None
        self.compose()

    def pick(self, *options):
        return options[self.rng.integers(len(options))]

    def chance(self, probability):
        return self.rng.random() < probability

    def form(self, kind, what):
        self.forms.append(f"{kind} {what}")
        return what

    def choose(self, kind, options):
        """One of the options, noted; the forced one if it is among them."""
        forced = self.force.get(kind)
        return self.form(kind, forced if forced in options else self.pick(*options))

    def habit(self, name, probability):
        """Whether the program has a habit."""
        return self.force[name] if name in self.force else self.chance(probability)

    def converted(self, value, element):
        """`value` in another float type."""
        source = getattr(value, "element", self.element)
        op = "extf" if element == "f32" else "truncf"
        return self.compute(value.dims, [(value, value.dims)], [f"%y = arith.{op} %in0 : {source} to {element}", "%y"],
                            value.data, element)

    # -- building blocks --------------------------------------------------------

    def typed(self, dims, element):
        return self.tensor(dims, element)

    def compute(self, dims, ins, body, data, element=None, outs=None, out_dims=None, reduction=()):
        """A generic over `dims`; `ins` are (value, its dims within `dims`)."""
        element = element or self.element
        operands = [(v.name, self.tensor(v.dims, getattr(v, "element", self.element)), over) for v, over in ins]
        saved, self.element = self.element, element
        out_dims = dims if out_dims is None else out_dims
        name = self.generic(dims, operands, body, out_dims, outs, reduction)
        self.element = saved
        value = Value(name, list(out_dims), np.asarray(data), np.zeros(1))
        value.element = element
        return value

    def input(self, dims, data, element=None):
        value = self.argument(dims, data, element)
        value.element = element or self.element
        return value

    def constant_of(self, dims, data, element):
        """A dense constant of any type."""
        types = {**TYPES, "i1": np.bool_}
        data = np.asarray(data, types[element])
        name = self.emit(f'arith.constant dense<"0x{data.tobytes().hex().upper()}"> : {self.tensor(dims, element)}')
        value = Value(name, list(dims), data, np.zeros(1))
        value.element = element
        return value

    def iota(self, dim, integer):
        """[0, 1, ...] along a dimension, as frontends make it."""
        cast = [] if integer == "index" else [f"%y = arith.index_cast %i : index to {integer}"]
        return self.compute([dim], [], ["%i = linalg.index 0 : index", *cast, "%y"], np.arange(dim.size), integer)

    def matmul(self, dims, lhs, rhs, data, out_dims, reduction):
        """A sum of products of (value, dims) pairs from zero, in some form."""
        t = self.element
        zeros = self.filled(out_dims, 0 if self.start_values is None else self.start_values)
        pair = [lhs, rhs]
        if self.habit("operands swapped", 0.3):
            self.form("product", "operands swapped")
            pair.reverse()
        maps = [self.map(over, dims) for _, over in pair] + [self.map(out_dims, dims)]
        types = [self.tensor(v.dims) for v, _ in pair]
        kind = self.tensor(out_dims)
        text = f"ins({pair[0][0].name}, {pair[1][0].name} : {types[0]}, {types[1]}) outs({zeros} : {kind})"
        batch = [d for d in out_dims if d in lhs[1] and d in rhs[1]]
        m = [d for d in lhs[1] if d not in rhs[1]]
        n = [d for d in rhs[1] if d not in lhs[1]]
        is_named = (pair[0] is lhs and len(batch) <= 1 and len(m) == len(n) == 1 and lhs[1] == [*batch, *m, *reduction]
                    and rhs[1] == [*batch, *reduction, *n] and out_dims == [*batch, *m, *n])
        style = self.force.get("product") or ("named" if self.chance(0.7) else self.pick("contract", "generic"))
        if style == "named" and not is_named:
            style = "generic"
        if style == "named":
            self.form("product", "named")
            name = self.emit(f"linalg.{'batch_matmul' if batch else 'matmul'} {text} -> {kind}")
        elif style == "contract":
            self.form("product", "contract")
            name = self.emit(f"linalg.contract indexing_maps = [{', '.join(maps)}] {text} -> {kind}")
        else:
            self.form("product", "generic")
            iterators = ", ".join('"reduction"' if d in reduction else '"parallel"' for d in dims)
            sides = self.pick("%p, %acc", "%acc, %p")
            name = self.emit(
                f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{iterators}]}} {text} {{\n"
                f"    ^bb0(%l: {t}, %r: {t}, %acc: {t}):\n      %p = arith.mulf %l, %r : {t}\n"
                f"      %y = arith.addf {sides} : {t}\n      linalg.yield %y : {t}\n  }} -> {kind}")
        value = Value(name, list(out_dims), data, np.zeros(1))
        return value

    def scaled(self, value, factor):
        t, dims = self.element, value.dims
        if self.chance(0.5):
            body = [f"%c = arith.constant {self.number(factor)} : {t}", f"%y = arith.mulf %in0, %c : {t}", "%y"]
        else:
            body = [f"%c = arith.constant {self.number(1 / factor)} : {t}", f"%y = arith.divf %in0, %c : {t}", "%y"]
        if self.chance(0.3):
            self.form("factor", "rank 0")
            # GCC's runtime has no conversion from f64 to bf16.
            wide = "f32" if t == "bf16" else "f64"
            written = self.emit(f"arith.constant dense<{self.number(factor)}> : tensor<{wide}>")
            cast = [f"%c = arith.truncf %in1 : {wide} to {t}"] if t != wide else []
            number = "%c" if cast else "%in1"
            name = self.generic(dims, [(value.name, self.tensor(dims), dims), (written, f"tensor<{wide}>", [])],
                                [*cast, f"%y = arith.mulf %in0, {number} : {t}", "%y"])
            return Value(name, dims, value.data * factor, np.zeros(1))
        return self.compute(dims, [(value, dims)], body, value.data * factor)

    def noise(self, value):
        """A move that changes nothing: a copy or a cast."""
        kind = self.pick("none", "none", "none", "cast", "copy")
        if kind == "cast":
            self.form("noise", "cast")
            moved = self.cast(value)
            return moved
        if kind == "copy":
            self.form("noise", "copy")
            return self.compute(value.dims, [(value, value.dims)], ["%in0"], value.data)
        return value

    # -- buckets ------------------------------------------------------------------

    def offsets(self, m, n, integer):
        """j - (i + past) as an integer tensor [m, n], and its data."""
        rows, columns = self.iota(m, integer), self.iota(n, integer)
        past = self.past
        data = np.arange(n.size)[None, :] - (np.arange(m.size)[:, None] + past)
        body = []
        row = "%in0"
        if past:
            body += [f"%past = arith.constant {past} : {integer}", f"%row = arith.addi %in0, %past : {integer}"]
            row = "%row"
        sign = self.sign = self.pick(1, 1, -1) if not self.causal_table else 1
        pair = f"%in1, {row}" if sign == 1 else f"{row}, %in1"
        return self.compute([m, n], [(rows, [m]), (columns, [n])],
                            [*body, f"%y = arith.subi {pair} : {integer}", "%y"], sign * data, integer), data

    def bucket_ids(self, m, n, buckets, distance, bidirectional):
        """T5's buckets of the offsets, by a chain of one-op bodies, one body, or
        a constant."""
        is_short = m.size + n.size + self.past < 120 and distance <= 128
        integer = self.choose("integers", ("i64", "i64", "i32", "i16", *(["i8"] if is_short else [])))
        style = self.choose("buckets", ("chain", "chain", "one body", "folded", "thresholds"))
        offset = np.arange(n.size)[None, :] - (np.arange(m.size)[:, None] + self.past)
        ids = t5_bucket(offset, buckets, distance, bidirectional)
        if style == "folded" and not (m.dynamic or n.dynamic):
            return self.constant_of([m, n], ids, integer), ids, integer
        value, _ = self.offsets(m, n, integer)
        half = buckets // 2 if bidirectional else buckets
        exact = half // 2
        if self.look_alike == "altered bucket constant":
            exact = max(exact - 1, 1)
        sign = self.sign
        lines = []
        x = "%in0"
        zero, cap = f"arith.constant 0 : {integer}", f"arith.constant {half - 1} : {integer}"
        lines += [f"%zero = {zero}", f"%cap = {cap}", f"%exact = arith.constant {exact} : {integer}"]
        if bidirectional:
            compare = "sgt" if sign == 1 else "slt"
            lines += [f"%later = arith.cmpi {compare}, {x}, %zero : {integer}",
                      f"%later_i = arith.extui %later : i1 to {integer}",
                      f"%half = arith.constant {half} : {integer}", f"%base = arith.muli %later_i, %half : {integer}"]
            if self.chance(0.7):
                lines.append(f"%n = math.absi {x} : {integer}")
            else:
                lines += [f"%neg = arith.subi %zero, {x} : {integer}", f"%n = arith.maxsi {x}, %neg : {integer}"]
        else:
            lines += [f"%least = arith.minsi {x}, %zero : {integer}", f"%n = arith.subi %zero, %least : {integer}"]
        if style == "thresholds":
            # No logarithm: how many starts of buckets are at most n.
            reach = np.arange(0, 4 * max(distance, 64))
            table = t5_bucket(-reach, half, distance, False)
            starts = [int(np.argmax(table >= b)) for b in range(1, half) if (table >= b).any()]
            total = "%zero"
            for k, start in enumerate(starts):
                lines += [f"%s{k} = arith.constant {start} : {integer}", f"%g{k} = arith.cmpi sge, %n, %s{k} : {integer}",
                          f"%e{k} = arith.extui %g{k} : i1 to {integer}", f"%t{k} = arith.addi {total}, %e{k} : {integer}"]
                total = f"%t{k}"
            lines.append(f"%id = arith.addi {total}, %zero : {integer}")
        else:
            log_base = float(np.log(distance / (half // 2)))
            lines += [f"%small = arith.cmpi slt, %n, %exact : {integer}", f"%f = arith.sitofp %n : {integer} to f32",
                      f"%fe = arith.constant {float(exact)} : f32", f"%q = arith.divf %f, %fe : f32", "%l = math.log %q : f32"]
            if self.chance(0.5):
                lines += [f"%lb = arith.constant {log_base:.17e} : f64", "%lbf = arith.truncf %lb : f64 to f32"]
            else:
                lines += [f"%lbf = arith.constant {log_base:.9e} : f32"]
            lines += ["%d = arith.divf %l, %lbf : f32", f"%w = arith.constant {float(half - half // 2)} : f32",
                      "%m = arith.mulf %d, %w : f32", f"%mi = arith.fptosi %m : f32 to {integer}",
                      f"%big = arith.addi %mi, %exact : {integer}", f"%bigc = arith.minsi %big, %cap : {integer}",
                      f"%id = arith.select %small, %n, %bigc : {integer}"]
        if bidirectional:
            lines += [f"%y = arith.addi %id, %base : {integer}", "%y"]
        else:
            lines += ["%id"]
        if self.look_alike == "altered bucket constant":
            bounded = t5_altered(offset, buckets, distance, bidirectional, exact)
            ids = bounded if style != "thresholds" else ids
        return self.compute([m, n], [(value, [m, n])], lines, ids, integer), ids, integer

    # -- bias -----------------------------------------------------------------------

    def bias(self, batch, head, m, n):
        """(value, its dims) of the bias, or None; counts the T5 bucketing."""
        heads = head.size
        kinds = ["none", "argument", "t5", "t5", "t5", "t5", "per offset", "alibi", "zero"]
        if self.look_alike in ("altered bucket constant", "shifted table", "mirrored table", "one-hot beyond the table"):
            kinds = ["t5"]
        kind = self.choose("bias", kinds)
        t = self.element
        normal = lambda *shape: self.rng.standard_normal(shape)
        if kind == "none":
            return None
        if kind == "zero":
            if m.dynamic or n.dynamic:
                return Value(self.filled([head, m, n], 0), [head, m, n], np.zeros((heads, m.size, n.size)), np.zeros(1)), [head, m, n]
            return Value(self.splat([head, m, n], 0), [head, m, n], np.zeros((heads, m.size, n.size)), np.zeros(1)), [head, m, n]
        if kind == "argument":
            dims = self.pick([head, m, n], [*batch, head, m, n], [m, n])
            return self.input(dims, normal(*[d.size for d in dims])), dims
        if kind == "alibi":
            slopes = self.input([head], 2.0 ** -np.arange(1, heads + 1))
            self.causal_table = False
            value, offset = self.offsets(m, n, "i64")
            body = ["%a = math.absi %in0 : i64", f"%f = arith.sitofp %a : i64 to {t}", f"%g = arith.negf %f : {t}",
                    f"%y = arith.mulf %g, %in1 : {t}", "%y"]
            data = -slopes.data[:, None, None] * np.abs(offset)
            return self.compute([head, m, n], [(value, [m, n]), (slopes, [head])], body, data), [head, m, n]
        layout = self.choose("table", ("[rows, heads]", "[heads, rows]"))
        if kind == "per offset":
            self.causal_table = False
            past = self.past
            low = -(m.size - 1) - past
            rows = Dim(m.size + n.size - 1)
            offset = np.arange(n.size)[None, :] - (np.arange(m.size)[:, None] + past)
            value, _ = self.offsets(m, n, "i64")
            negate = [] if self.sign == 1 else ["%z = arith.constant 0 : i64", "%n = arith.subi %z, %in0 : i64"]
            source = "%in0" if self.sign == 1 else "%n"
            ids = offset - low
            value = self.compute([m, n], [(value, [m, n])], [*negate, f"%c = arith.constant {-low} : i64",
                                 f"%y = arith.addi {source}, %c : i64", "%y"], ids, "i64")
            integer = "i64"
        else:
            buckets, distance = self.force.get("T5") or self.pick(*T5_PARAMETERS)
            self.causal_table = self.habit("one side", 0.4)
            bidirectional = not self.causal_table
            self.t5 = (buckets, distance, bidirectional)
            self.form("T5", f"{buckets} {distance} {'both' if bidirectional else 'one side'}")
            value, ids, integer = self.bucket_ids(m, n, buckets, distance, bidirectional)
            rows = Dim(buckets)
            if integer in ("i8", "i16") and (m.dynamic or n.dynamic):
                # Positions of unknown lengths wrap: no T5.
                self.t5 = None
        table_dims = [rows, head] if layout.startswith("[rows") else [head, rows]
        if self.habit("table sliced", 0.1):
            # This rank's heads of all of them.
            self.form("table", "sliced")
            at = table_dims.index(head)
            whole_dims = [Dim(2 * heads) if x is head else x for x in table_dims]
            whole = self.input(whole_dims, normal(*[x.size for x in whole_dims]))
            offsets = ", ".join(str(heads) if i == at else "0" for i in range(2))
            sizes = ", ".join(str(x.size) for x in table_dims)
            name = self.emit(f"tensor.extract_slice {whole.name}[{offsets}] [{sizes}] [1, 1] : "
                             f"{self.tensor(whole_dims)} to {self.tensor(table_dims)}")
            table = Value(name, table_dims, np.take(whole.data, np.arange(heads, 2 * heads), at), np.zeros(1))
        else:
            table = self.input(table_dims, normal(*[d.size for d in table_dims]))
        read = table.data if layout.startswith("[rows") else table.data.T
        if self.look_alike == "shifted table":
            ids = np.minimum(ids + 1, rows.size - 1)
            value = self.compute([m, n], [(value, [m, n])], [f"%o = arith.constant 1 : {integer}",
                                 f"%s = arith.addi %in0, %o : {integer}", f"%l = arith.constant {rows.size - 1} : {integer}",
                                 f"%y = arith.minsi %s, %l : {integer}", "%y"], ids, integer)
        if self.look_alike == "mirrored table":
            ids = rows.size - 1 - ids
            value = self.compute([m, n], [(value, [m, n])], [f"%l = arith.constant {rows.size - 1} : {integer}",
                                 f"%y = arith.subi %l, %in0 : {integer}", "%y"], ids, integer)
        if self.look_alike == "one-hot beyond the table":
            # Rows past the last one: nothing is hot, the bias is 0.
            ids = ids + 3
            value = self.compute([m, n], [(value, [m, n])], [f"%o = arith.constant 3 : {integer}",
                                 f"%y = arith.addi %in0, %o : {integer}", "%y"], ids, integer)
            gathered = np.where((ids < rows.size)[..., None], read[np.minimum(ids, rows.size - 1)], 0.0)
            style = self.choose("gather", ("one-hot",))
        else:
            gathered = read[ids]  # [m, n, head]
            style = self.choose("gather", ("extract", "extract", "one-hot"))
        if style == "extract":
            loops = self.pick([m, n, head], [head, m, n])
            position = loops.index(head)
            index = "%r, %h" if layout.startswith("[rows") else "%h, %r"
            guard = []
            if self.habit("assertions", 0.3):
                self.form("gather", "with assertions")
                guard = [f"%size = arith.constant {rows.size} : index", "%ok = arith.cmpi slt, %r, %size : index",
                         'cf.assert %ok, "index out of range"']
            body = [f"%r = arith.index_cast %in0 : {integer} to index", f"%h = linalg.index {position} : index", *guard,
                    f"%y = tensor.extract {table.name}[{index}] : {self.tensor(table_dims)}", "%y"]
            bias = self.compute(loops, [(value, [m, n])], body, gathered.transpose([[m, n, head].index(d) for d in loops]))
        else:
            hot = self.compute([m, n, rows], [(value, [m, n])],
                               ["%i = linalg.index 2 : index", f"%j = arith.index_cast %i : index to {integer}",
                                f"%e = arith.cmpi eq, %in0, %j : {integer}", f"%y = arith.uitofp %e : i1 to {t}", "%y"],
                               np.equal.outer(ids, np.arange(rows.size)).astype(float))
            saved, self.start_values = self.start_values, None
            dims = [m, n, head, rows]
            bias = self.matmul(dims, (hot, [m, n, rows]), (table, table_dims), gathered, [m, n, head], [rows])
            self.start_values = saved
            loops = [m, n, head]
        if loops == [m, n, head] and self.chance(0.7):
            bias = self.transpose(bias, [2, 0, 1])
            loops = [head, m, n]
        if self.chance(0.3):
            unit = Dim(1)
            axes = [unit, *loops]
            sizes = ", ".join(d.ssa if d.dynamic else str(d.size) for d in axes)
            name = self.emit(f"tensor.expand_shape {bias.name} [[0, 1], [2], [3]] output_shape [{sizes}] : "
                             f"{self.tensor(loops)} into {self.tensor(axes)}")
            return Value(name, axes, bias.data[None], np.zeros(1)), [None, *loops]
        return bias, loops

    # -- mask --------------------------------------------------------------------------

    def mask(self, batch, m, n):
        """An additive mask (value, dims), or ("select", condition, dims, data)."""
        kind = self.choose("mask", ("none", "none", "argument", "lowest", "bool select", "causal select", "causal add",
                                    "key lengths"))
        t = self.element
        if kind == "none":
            return None
        if kind in ("argument", "lowest"):
            dims = self.pick([n], [m, n], [*batch, n])
            shape = [d.size for d in dims]
            data = self.rng.standard_normal(shape)
            if kind == "lowest":
                data = np.where(self.rng.random(shape) < 0.3, -6.0e4 if t == "f16" else -3.0e38, 0.0)
                data[..., 0] = 0.0
            return self.input(dims, data), dims
        if kind == "key lengths" and batch:
            integer = self.pick("i64", "i32")
            lengths = self.rng.integers(1, n.size + 1, batch[0].size)
            value = self.input(batch, lengths, integer)
            data = np.arange(n.size)[None, :] < lengths[:, None]
            pair, predicate = self.pick(("%j, %in0", "slt"), ("%in0, %j", "sgt"))
            name = self.compute([*batch, n], [(value, batch)],
                                ["%j0 = linalg.index 1 : index", f"%j = arith.index_cast %j0 : index to {integer}",
                                 f"%v = arith.cmpi {predicate}, {pair} : {integer}", "%v"], data, "i1")
            return "select", name, [*batch, n], data
        if kind in ("bool select", "key lengths"):
            dims = self.pick([n], [m, n])
            data = self.rng.random([d.size for d in dims]) < 0.7
            data[..., 0] = True
            return "select", self.input(dims, data.astype(np.int8), "i8"), dims, data
        past = self.past
        data = np.arange(n.size)[None, :] <= np.arange(m.size)[:, None] + past
        row = ["%i0 = linalg.index 0 : index", f"%past = arith.constant {past} : index", "%i = arith.addi %i0, %past : index"]
        compare = self.pick("%v = arith.cmpi sle, %j, %i : index", "%v = arith.cmpi sge, %i, %j : index")
        body = [*row, "%j = linalg.index 1 : index", compare]
        if kind == "causal select":
            name = self.compute([m, n], [], [*body, "%v"], data, "i1")
            return "select", name, [m, n], data
        number = {"f16": "-6.0e4", "bf16": "-3.0e38", "f32": "-3.0e38", "f64": "-1.0e300"}[t]
        low = self.pick(INFINITY[t], number)
        hidden = float(number) if low == number else -np.inf
        value = self.compute([m, n], [], [*body, f"%zero = arith.constant 0.0 : {t}", f"%low = arith.constant {low} : {t}",
                             f"%y = arith.select %v, %zero, %low : {t}", "%y"], np.where(data, 0.0, hidden))
        return value, [m, n]

    # -- softmax ------------------------------------------------------------------------

    def reduce(self, value, dims, axis, line, start, data, keep):
        """A reduction over `axis`, kept as a unit dimension or not."""
        t = self.element
        kept = [d for d in dims if d is not axis]
        out = [Dim(1) if d is axis else d for d in dims] if keep else kept
        fill = self.emit(f"arith.constant {start} : {t}")
        kind = self.tensor(out)
        init = self.emit(f"linalg.fill ins({fill} : {t}) outs({self.empty(out)} : {kind}) -> {kind}")
        out_map = self.map([None if d is axis else d for d in dims] if keep else kept, dims)
        maps = [self.map(dims, dims), out_map]
        iterators = ", ".join('"reduction"' if d is axis else '"parallel"' for d in dims)
        body = "\n      ".join(line)
        name = self.emit(
            f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{iterators}]}} "
            f"ins({value.name} : {self.tensor(dims)}) outs({init} : {kind}) {{\n    ^bb0(%in: {t}, %acc: {t}):\n"
            f"      {body}\n      linalg.yield %y : {t}\n  }} -> {kind}")
        result = Value(name, out, np.reshape(data, [d.size for d in out]), np.zeros(1))
        return result, ([None if d is axis else d for d in dims] if keep else kept)

    def softmax(self, scores, axis, other):
        """(probabilities, None), or (exponentials, their sum) to divide later."""
        t, dims = self.element, scores.dims
        number = dims.index(axis)
        x = scores.data
        with np.errstate(all="ignore"):
            maximum = x.max(number, keepdims=True)
            exponential = np.exp(x - maximum)
            total = exponential.sum(number, keepdims=True)
        if not self.look_alike and self.habit("softmax op", 0.12):
            self.form("softmax", "linalg.softmax")
            kind = self.tensor(dims)
            name = self.emit(f"linalg.softmax dimension({number}) ins({scores.name} : {kind}) outs({self.empty(dims)} : {kind}) -> {kind}")
            return Value(name, dims, exponential / total, np.zeros(1)), None
        keep = self.habit("keepdim", 0.5)
        style = self.choose("maximum", ("maximumf", "maxnumf", "compare"))
        line = {"maximumf": [f"%y = arith.maximumf %in, %acc : {t}"], "maxnumf": [f"%y = arith.maxnumf %acc, %in : {t}"],
                "compare": [f"%g = arith.cmpf ogt, %in, %acc : {t}", f"%y = arith.select %g, %in, %acc : {t}"]}[style]
        infinity, lowest = INFINITY[t], LOWEST[t]
        source = other if self.look_alike == "maximum of another tensor" else scores
        if self.look_alike == "maximum of another tensor":
            with np.errstate(all="ignore"):
                maximum = source.data.max(number, keepdims=True)
                exponential = np.exp(x - maximum)
                total = exponential.sum(number, keepdims=True)
        peak, peak_dims = self.reduce(source, dims, axis, line, self.pick(infinity, lowest), maximum, keep)
        if self.look_alike == "reversed subtraction":
            with np.errstate(all="ignore"):
                exponential = np.exp(maximum - x)
            total = exponential.sum(number, keepdims=True)
        pair = "%in1, %in0" if self.look_alike == "reversed subtraction" else "%in0, %in1"
        style = self.choose("exponential", ("exp", "two ops", "exp2"))
        ins = [(scores, dims), (peak, peak_dims)]
        if style == "two ops":
            difference = self.compute(dims, ins, [f"%y = arith.subf {pair} : {t}", "%y"], x - maximum)
            e = self.compute(dims, [(difference, dims)], [f"%y = math.exp %in0 : {t}", "%y"], exponential)
        elif style == "exp2":
            e = self.compute(dims, ins, [f"%s = arith.subf {pair} : {t}", f"%l = arith.constant 1.4426950408889634 : {t}",
                             f"%m = arith.mulf %s, %l : {t}", f"%y = math.exp2 %m : {t}", "%y"], exponential)
        else:
            e = self.compute(dims, ins, [f"%s = arith.subf {pair} : {t}", f"%y = math.exp %s : {t}", "%y"], exponential)
        start = "1.0" if self.look_alike == "sum starts at one" else self.pick("0.0", "-0.0")
        summed = e
        if self.look_alike == "sum starts at one":
            total = total + 1.0
        if self.look_alike == "sum of another tensor":
            # Squares: a sum near zero would be another question.
            summed = self.compute(dims, [(other, dims)], [f"%y = arith.mulf %in0, %in0 : {t}", "%y"], other.data ** 2)
            total = summed.data.sum(number, keepdims=True)
        total_value, total_dims = self.reduce(summed, dims, axis, [f"%y = arith.addf %in, %acc : {t}"], start, total, keep)
        if not self.look_alike and self.habit("log-sum-exp", 0.15):
            self.log_sum_exp(peak, total_value, total_dims, maximum, total, keep)
        style = self.choose("division", ("div", "div", "reciprocal", "deferred"))
        if style == "deferred" and not self.look_alike and t == self.input_element:
            return e, (total_value, total_dims, total)
        ins = [(e, dims), (total_value, total_dims)]
        with np.errstate(all="ignore"):
            data = exponential / total
        if style == "reciprocal":
            own = total_value.dims
            inverse = self.compute(own, [(total_value, own)], [f"%one = arith.constant 1.0 : {t}", f"%y = arith.divf %one, %in0 : {t}", "%y"],
                                   1.0 / total_value.data)
            p = self.compute(dims, [(e, dims), (inverse, total_dims)], [f"%y = arith.mulf %in0, %in1 : {t}", "%y"], data)
        else:
            p = self.compute(dims, ins, [f"%y = arith.divf %in0, %in1 : {t}", "%y"], data)
        return p, None

    def log_sum_exp(self, peak, total_value, total_dims, maximum, total, keep):
        """A second output, as training and merging need it."""
        t, dims = self.element, total_value.dims
        self.form("output", "log-sum-exp")
        with np.errstate(all="ignore"):
            data = (np.log(total) + maximum).reshape([x.size for x in dims])
        swap = self.pick("%l, %in0", "%in0, %l")
        if self.chance(0.5):
            value = self.compute(dims, [(peak, dims), (total_value, dims)],
                                 [f"%l = math.log %in1 : {t}", f"%y = arith.addf {swap} : {t}", "%y"], data)
        else:
            with np.errstate(all="ignore"):
                logarithm = self.compute(dims, [(total_value, dims)], [f"%y = math.log %in0 : {t}", "%y"],
                                         np.log(total_value.data))
            value = self.compute(dims, [(peak, dims), (logarithm, dims)],
                                 [f"%y = arith.addf {swap.replace('%l', '%in1')} : {t}", "%y"], data)
        value = Value(value.name, value.dims, data, np.zeros(data.shape))
        value.element = t
        if self.chance(0.3):
            value = self.transpose(value, list(reversed(range(len(dims)))))
            value.element = t
        self.output(value)

    # -- the whole -----------------------------------------------------------------------

    def compose(self):
        t = self.element
        self.start_values, self.input_element = None, t
        dynamic = self.choose("lengths", ("static", "static", "dynamic")) == "dynamic"
        lengths = (2, 3, 7, 16, 17, 33) if t in ("f16", "bf16") else (2, 3, 7, 16, 17, 33, 150)
        length = lambda: int(self.force.get("length") or (self.pick(*lengths) if self.chance(0.9) else 2 * lengths[-1]))
        m, n = Dim(length(), dynamic), Dim(length(), dynamic)
        if self.habit("one query", 0.15):
            m = Dim(1)
            self.form("queries", "one")
        d, e = Dim(int(self.force.get("depth") or self.pick(1, 3, 8, 16))), Dim(int(self.pick(2, 5, 16)))
        head = Dim(int(self.pick(2, 3, 4)))
        batch = [Dim(2)] if self.habit("batch", 0.5) else []
        group = self.habit("grouped heads", 0.15) and batch
        if group:
            head = Dim(4)
        self.past = self.force.get("past", int(self.pick(0, 0, max(n.size - m.size, 0), 5)))
        self.form("query offset", "none" if self.past == 0 else "given")
        self.causal_table, self.sign = False, 1
        draw = lambda dims: self.rng.standard_normal([x.size for x in dims]) * 0.7
        layout = self.choose("layout", ("heads first", "sequence first", "collapsed"))
        if not batch:
            layout = "heads first"
        over = [*batch, head]
        q_dims, k_dims, v_dims, out_dims = [*over, m, d], [*over, n, d], [*over, n, e], [*over, m, e]
        if layout == "sequence first":
            q_dims, k_dims, v_dims = [*batch, m, head, d], [*batch, n, head, d], [*batch, n, head, e]
        q = self.input(q_dims, draw(q_dims))
        axes = lambda dims, loops: "".join("abcdefgh"[loops.index(x)] for x in dims)
        if group:
            # Two heads of keys serve all of the queries' by a broadcast.
            self.form("heads", "grouped")
            g, r = Dim(2), Dim(head.size // 2)
            small = lambda dims: [g if x is head else x for x in dims]
            wide = lambda dims: [y for x in dims for y in ([g, r] if x is head else [x])]
            def grouped(dims):
                source = self.input(small(dims), draw(small(dims)))
                data = np.repeat(source.data, r.size, dims.index(head))
                spread_dims = wide(dims)
                copy = self.compute(spread_dims, [(source, small(dims))], ["%in0"],
                                    data.reshape([x.size for x in spread_dims]))
                at = dims.index(head)
                groups = [[i] if i < at else [i, i + 1] if i == at else [i + 1] for i in range(len(dims))]
                name = self.emit(f"tensor.collapse_shape {copy.name} {groups} : {self.tensor(spread_dims)} into {self.tensor(dims)}")
                return Value(name, list(dims), data, np.zeros(1))
            k, v = grouped(k_dims), grouped(v_dims)
        else:
            k, v = self.input(k_dims, draw(k_dims)), self.input(v_dims, draw(v_dims))
        factor = self.pick(0.25, 0.125, float(d.size) ** -0.5, 0.7)
        place = self.choose("scale", ("none", "none", "query", "key", "roots", "scores", "after bias"))
        if place == "query":
            q = self.scaled(q, factor)
        if place == "key":
            k = self.scaled(k, factor)
        if place == "roots":
            q, k = self.scaled(q, factor ** 0.5), self.scaled(k, factor ** 0.5)
        q, k, v = self.noise(q), self.noise(k), self.noise(v)
        if layout != "sequence first" and self.habit("key transposed", 0.6):
            self.form("key", "transposed")
            rank = len(k.dims)
            k = self.transpose(k, [*range(rank - 2), rank - 1, rank - 2])
        score_dims = [*over, m, n]
        if layout == "sequence first" and self.chance(0.3):
            score_dims = [*batch, head, n, m] if self.chance(0.5) else [head, *batch, m, n]
            self.form("scores", "in another order")
        loops = [*over, m, n, d]
        formula = f"{axes(q.dims, loops)},{axes(k.dims, loops)}->{axes(score_dims, loops)}"
        data = np.einsum(formula, q.data, k.data)
        if layout == "collapsed":
            both = Dim(over[0].size * over[1].size)
            flat = lambda value: self.collapse(Value(value.name, value.dims, value.data, np.zeros(value.shape)))
            q2, k2 = flat(q), flat(k)
            rename = lambda value, dims: Value(value.name, dims, value.data, np.zeros(1))
            q2 = rename(q2, [both, *q.dims[2:]])
            k2 = rename(k2, [both, *k.dims[2:]])
            scores = self.matmul([both, m, n, d], (q2, q2.dims), (k2, k2.dims),
                                 data.reshape(both.size, m.size, n.size), [both, m, n], [d])
            sizes = ", ".join(x.ssa if x.dynamic else str(x.size) for x in score_dims)
            name = self.emit(f"tensor.expand_shape {scores.name} [[0, 1], [2], [3]] output_shape [{sizes}] : "
                             f"{self.tensor(scores.dims)} into {self.tensor(score_dims)}")
            scores = Value(name, score_dims, data, np.zeros(1))
        else:
            scores = self.matmul(loops, (q, q.dims), (k, k.dims), data, score_dims, [d])
        if place == "scores":
            scores = self.scaled(scores, factor)
        plain = scores
        self.start_values = None
        # Bias and mask.
        bias, masks = self.bias(batch, head, m, n), [self.mask(batch, m, n)]
        if self.habit("two masks", 0.15):
            masks.append(self.mask(batch, m, n))
        selects = [x for x in masks if x and x[0] == "select"]
        additive = [x for x in (bias, *masks) if x and x[0] != "select"]
        dims = scores.dims
        def total(value, terms):
            with np.errstate(all="ignore"):
                result = value
                for term, term_dims in terms:
                    result = result + spread(term.data, term_dims, dims)
            return result
        order = self.choose("additions", ("one by one", "together first", "one body", "mask first"))
        if len(additive) == 2 and order == "together first" and not {x for t_ in additive for x in t_[1] if x} - set(dims):
            (b, b_dims), (k_, k_dims_) = additive
            merged = [x for x in dims if any(x in t_[1] for t_ in additive)]
            with np.errstate(all="ignore"):
                both_data = spread(b.data, b_dims, merged) + spread(k_.data, k_dims_, merged)
            value = self.compute(merged, [(b, b_dims), (k_, k_dims_)], [f"%y = arith.addf %in0, %in1 : {t}", "%y"],
                                 np.broadcast_to(both_data, [x.size for x in merged]))
            additive = [(value, merged)]
        if order == "mask first":
            additive.reverse()
        if len(additive) == 2 and order == "one body":
            scores = self.compute(dims, [(scores, dims), *additive],
                                  [f"%a = arith.addf %in0, %in1 : {t}", f"%y = arith.addf %a, %in2 : {t}", "%y"],
                                  total(scores.data, additive))
        else:
            for term in additive:
                swap = self.pick("%in0, %in1", "%in1, %in0")
                scores = self.compute(dims, [(scores, dims), term], [f"%y = arith.addf {swap} : {t}", "%y"],
                                      total(scores.data, [term]))
        if place == "after bias":
            scores = self.scaled(scores, factor)
        for _, condition, c_dims, visible in selects:
            truth = [] if condition.element == "i1" else ["%zero = arith.constant 0 : i8", "%c = arith.cmpi ne, %in1, %zero : i8"]
            flag = "%in1" if condition.element == "i1" else "%c"
            hidden = np.where(spread(visible, c_dims, dims), scores.data, -np.inf)
            scores = self.compute(dims, [(scores, dims), (condition, c_dims)],
                                  [*truth, f"%low = arith.constant {INFINITY[t]} : {t}", f"%y = arith.select {flag}, %in0, %low : {t}", "%y"],
                                  hidden)
        if self.look_alike == "tanh":
            scores = self.compute(dims, [(scores, dims)], [f"%y = math.tanh %in0 : {t}", "%y"], np.tanh(scores.data))
        axis = m if self.look_alike == "softmax over queries" else n
        if axis.size == 1 and not axis.dynamic:
            axis = n
        if t in ("f16", "bf16") and self.habit("softmax in f32", 0.7 if t == "f16" else 1.0):
            self.form("softmax", "in f32")
            wide, plain = self.converted(scores, "f32"), self.converted(plain, "f32")
            self.element = "f32"
            p, later = self.softmax(wide, axis, plain)
            self.element, p.element = t, "f32"
            p = self.converted(p, t)
        else:
            p, later = self.softmax(scores, axis, plain)
        if self.look_alike == "dropout":
            keep = self.input(p.dims, (self.rng.random(p.shape) < 0.8) * 1.25)
            p = self.compute(p.dims, [(p, p.dims), (keep, p.dims)], [f"%y = arith.mulf %in0, %in1 : {t}", "%y"], p.data * keep.data)
        if self.look_alike == "extra user":
            self.output(self.pick(p, scores))
        p = self.noise(p)
        # The value product.
        if self.look_alike == "values start at one":
            self.start_values = 1.0
        start = 1.0 if self.start_values else 0.0
        loops = [*over, m, n, e]
        with np.errstate(all="ignore"):
            data = np.einsum(f"{axes(p.dims, loops)},{axes(v.dims, loops)}->{axes(out_dims, loops)}", p.data, v.data) + start
        if layout == "collapsed" and p.dims == [*over, m, n]:
            p2, v2 = flat(p), flat(v)
            p2, v2 = rename(p2, [both, m, n]), rename(v2, [both, *v.dims[2:]])
            out = self.matmul([both, m, n, e], (p2, p2.dims), (v2, v2.dims), data.reshape(both.size, m.size, e.size), [both, m, e], [n])
            sizes = ", ".join(x.ssa if x.dynamic else str(x.size) for x in out_dims)
            name = self.emit(f"tensor.expand_shape {out.name} [[0, 1], [2], [3]] output_shape [{sizes}] : "
                             f"{self.tensor(out.dims)} into {self.tensor(out_dims)}")
            out = Value(name, out_dims, data, np.zeros(1))
        else:
            out = self.matmul(loops, (p, p.dims), (v, v.dims), data, out_dims, [n])
        if later:
            value, value_dims, total_data = later
            own = [x for x in value_dims if x is not None]
            at = [x if x in out_dims else None for x in value_dims]
            # One number for each query.
            with np.errstate(all="ignore"):
                divided = out.data / spread(value.data, at, out_dims)
            out = self.compute(out_dims, [(out, out_dims), (value, at)], [f"%y = arith.divf %in0, %in1 : {t}", "%y"], divided)
        if self.chance(0.3):
            rank = len(out.dims)
            out = self.transpose(Value(out.name, out.dims, out.data, np.zeros(out.shape)), [*range(rank - 3), rank - 2, rank - 3, rank - 1])
        self.output(out)

    def results(self, module):
        """The outputs of one execution; None if an input was overwritten."""
        inputs = [data.copy() for _, data in self.arguments]
        outs = [np.zeros(value.shape, TYPES[value.element]) for _, value in self.outputs]
        module.call(self.name, *inputs, *outs)
        intact = all(old.tobytes() == new.tobytes() for (_, old), new in zip(self.arguments, inputs))
        return [out.astype(np.float64) for out in outs] if intact else None

    def error(self, results, expected=None):
        """The largest error of results over its tolerance, against float64 or
        other results."""
        if results is None:
            return np.inf
        worst = 0.0
        tolerance = TOLERANCE[self.element]
        for out, right in zip(results, expected or [value.data for _, value in self.outputs]):
            with np.errstate(all="ignore"):
                error = np.abs(out - right) / (tolerance * (1 + np.abs(right)))
            same = (out == right) | (np.isnan(out) & np.isnan(right))
            error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
            worst = max(worst, float(error.max(initial=0.0)))
        return worst

    def errors(self, before, after):
        """Errors before and after raising. A look-alike may overflow its type or
        divide by next to nothing: then it must do so after as before."""
        results = self.results(before), self.results(after)
        first = self.error(results[0])
        if first > 1 and self.look_alike and results[0] is not None:
            return 0.0, self.error(results[1], results[0])
        return first, self.error(results[1])


def t5_altered(offset, buckets, distance, bidirectional, exact):
    """The chain with another number of exact buckets in half of its places."""
    base = np.zeros_like(offset)
    half = buckets
    if bidirectional:
        half = buckets // 2
        base = (offset > 0) * half
        n = np.abs(offset)
    else:
        n = np.maximum(-offset, 0)
    with np.errstate(all="ignore"):
        ratio = np.log(n.astype(np.float32) / np.float32(exact)) / np.float32(np.log(distance / (half // 2)))
        large = (ratio * np.float32(half - half // 2)).astype(np.float64)
    large = np.where(n == 0, 0, large)
    large = np.minimum(exact + np.trunc(large), half - 1).astype(np.int64)
    return base + np.where(n < exact, n, large)
