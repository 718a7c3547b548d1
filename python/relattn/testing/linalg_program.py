# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of linalg on tensors, written together with what they compute.

A `Program` is one function under construction. Every value that it emits
carries its float64 data and the sum of the magnitudes that it was added up
from, to which the rounding error of any order of evaluation is proportional.
"""

from dataclasses import dataclass

import ml_dtypes
import numpy as np

TYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
         "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}


@dataclass(eq=False)
class Dim:
    """A dimension: its size, and whether the program knows it."""

    size: int
    dynamic: bool = False
    ssa: str = ""

    def __str__(self):
        return "?" if self.dynamic else str(self.size)


@dataclass(eq=False)
class Value:
    """A tensor: its SSA name, dimensions, float64 data and magnitude."""

    name: str
    dims: list
    data: np.ndarray
    magnitude: np.ndarray

    def __post_init__(self):
        # Programs that bound their error otherwise give any magnitude.
        if self.magnitude.shape != self.data.shape:
            self.magnitude = np.broadcast_to(self.magnitude.flat[0], self.data.shape)

    @property
    def shape(self):
        return [d.size for d in self.dims]


def spread(array, dims, onto):
    """`array` over `dims` as a view that broadcasts over the dimensions `onto`;
    an entry of `dims` that is None is a unit dimension."""
    order = [onto.index(d) for d in dims if d is not None]
    array = array.reshape([s for s, d in zip(array.shape, dims) if d is not None])
    array = np.transpose(array, np.argsort(order)) if order else array
    return array.reshape([d.size if d in dims else 1 for d in onto])


class Program:
    """One function, its inputs and its expected results."""

    def __init__(self, name, element):
        self.name, self.element = name, element
        self.is_float = element != "i32"
        self.f = "f" if self.is_float else "i"
        self.lines, self.arguments, self.outputs, self.count = [], [], [], 0
        self.rounds = 3  # roundings beside the contraction's
        self.flags = ""

    # -- text -----------------------------------------------------------------

    def fresh(self):
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text):
        """Emits `%new = text`; returns the name."""
        name = self.fresh()
        self.lines.append(f"{name} = {text}")
        return name

    def tensor(self, dims, element=None):
        return f"tensor<{'x'.join([*map(str, dims), element or self.element])}>"

    def number(self, value):
        """A literal of the element type."""
        return str(int(value)) if not self.is_float else f"{float(value):.17e}"

    def round(self, value):
        return TYPES[self.element](value).astype(np.float64)

    # -- values ---------------------------------------------------------------

    def argument(self, dims, data, element=None):
        """A tensor that the caller passes; it must not be written to."""
        element = element or self.element
        data = np.ascontiguousarray(np.asarray(data), TYPES[element])
        index = len(self.arguments)
        text = "x".join([*map(str, dims), element])
        self.arguments.append((f"%a{index}: memref<{text}>", data))
        name = self.emit(f"bufferization.to_tensor %a{index} restrict : memref<{text}> to tensor<{text}>")
        data = data.astype(np.float64)
        value = Value(name, list(dims), data, np.abs(data))
        for i, dim in enumerate(dims):
            if dim.dynamic and not dim.ssa:
                axis = self.emit(f"arith.constant {i} : index")
                dim.ssa = self.emit(f"tensor.dim {name}, {axis} : {self.tensor(dims, element)}")
        return value

    def empty(self, dims, element=None):
        sizes = ", ".join(d.ssa for d in dims if d.dynamic)
        return self.emit(f"tensor.empty({sizes}) : {self.tensor(dims, element)}")

    def filled(self, dims, value):
        kind = self.tensor(dims)
        c = self.emit(f"arith.constant {self.number(value)} : {self.element}")
        return self.emit(f"linalg.fill ins({c} : {self.element}) outs({self.empty(dims)} : {kind}) -> {kind}")

    def splat(self, dims, value):
        return self.emit(f"arith.constant dense<{self.number(value)}> : {self.tensor(dims)}")

    def constant(self, dims, data):
        """A dense constant; the dimensions are static."""
        data = np.asarray(data, TYPES[self.element])
        text = "0x" + data.tobytes().hex().upper()
        name = self.emit(f'arith.constant dense<"{text}"> : {self.tensor(dims)}')
        data = data.astype(np.float64)
        return Value(name, list(dims), data, np.abs(data))

    def map(self, dims, onto):
        """An affine map from the dimensions `onto` to `dims`."""
        results = ", ".join("0" if d is None else f"d{onto.index(d)}" for d in dims)
        return f"affine_map<({', '.join(f'd{i}' for i in range(len(onto)))}) -> ({results})>"

    def generic(self, loops, ins, body, out_dims=None, outs=None, reduction=()):
        """linalg.generic. `ins`: (name, type, dims) or (name, type, None) for a
        rank-0 operand; `body`: lines over %in0, %in1, ..., %out, the last of
        which is what to yield. Gives the name of the result."""
        out_dims = loops if out_dims is None else out_dims
        kind = self.tensor(out_dims)
        outs = outs or self.empty(out_dims)
        maps = [self.map(dims or [], loops) for _, _, dims in ins] + [self.map(out_dims, loops)]
        iterators = ", ".join('"reduction"' if d in reduction else '"parallel"' for d in loops)
        scalar = lambda kind: kind.split("x")[-1].rstrip(">").split("<")[-1]
        arguments = [f"%in{i}: {scalar(kind)}" for i, (_, kind, _) in enumerate(ins)]
        operands = f"ins({', '.join(i[0] for i in ins)} : {', '.join(i[1] for i in ins)}) " if ins else ""
        text = "\n      ".join([*body[:-1], f"linalg.yield {body[-1]} : {self.element}"])
        return self.emit(
            f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{iterators}]}} "
            f"{operands}outs({outs} : {kind}) {{\n    ^bb0({', '.join([*arguments, f'%out: {self.element}'])}):\n"
            f"      {text}\n  }} -> {kind}")

    def output(self, value):
        """The caller gets `value`."""
        index = len(self.outputs)
        value.element = self.element
        text = "x".join([*map(str, value.dims), value.element])
        self.outputs.append((f"%o{index}: memref<{text}>", value))

    # -- moves ----------------------------------------------------------------

    def transpose(self, value, permutation):
        dims = [value.dims[p] for p in permutation]
        name = self.emit(
            f"linalg.transpose ins({value.name} : {self.tensor(value.dims)}) outs({self.empty(dims)} : "
            f"{self.tensor(dims)}) permutation = {list(permutation)}")
        return Value(name, dims, value.data.transpose(permutation), value.magnitude.transpose(permutation))

    def expand(self, value, position, first):
        """Splits static dimension `position` in (first, rest)."""
        parts = [Dim(first), Dim(value.dims[position].size // first)]
        dims = value.dims[:position] + parts + value.dims[position + 1:]
        groups, next_dim = [], 0
        for i in range(len(value.dims)):
            width = 2 if i == position else 1
            groups.append(list(range(next_dim, next_dim + width)))
            next_dim += width
        sizes = ", ".join(d.ssa if d.dynamic else str(d.size) for d in dims)
        name = self.emit(f"tensor.expand_shape {value.name} {groups} output_shape [{sizes}] : "
                         f"{self.tensor(value.dims)} into {self.tensor(dims)}")
        shape = [d.size for d in dims]
        return Value(name, dims, value.data.reshape(shape), value.magnitude.reshape(shape))

    def collapse(self, value):
        """Merges the first two dimensions, which are static."""
        dims = [Dim(value.dims[0].size * value.dims[1].size), *value.dims[2:]]
        groups = [[0, 1], *([i] for i in range(2, len(value.dims)))]
        name = self.emit(f"tensor.collapse_shape {value.name} {groups} : {self.tensor(value.dims)} "
                         f"into {self.tensor(dims)}")
        shape = [d.size for d in dims]
        return Value(name, dims, value.data.reshape(shape), value.magnitude.reshape(shape))

    def cast(self, value):
        """A cast that forgets the sizes and one that knows them again."""
        kind = self.tensor(value.dims)
        unknown = f"tensor<{'x'.join(['?'] * len(value.dims) + [self.element])}>"
        name = self.emit(f"tensor.cast {value.name} : {kind} to {unknown}")
        name = self.emit(f"tensor.cast {name} : {unknown} to {kind}")
        return Value(name, value.dims, value.data, value.magnitude)

    # -- running --------------------------------------------------------------

    def function(self):
        parameters = ", ".join(text for text, _ in [*self.arguments, *self.outputs])
        # At the end: upstream may compute a value in its destination, which a
        # later op in place would then overwrite.
        stores = [f"bufferization.materialize_in_destination {value.name} in restrict writable "
                  f"%o{i} : ({self.tensor(value.dims, value.element)}, "
                  f"memref<{self.tensor(value.dims, value.element)[7:]}) -> ()"
                  for i, (_, value) in enumerate(self.outputs)]
        body = "\n  ".join([*self.lines, *stores])
        return (f"func.func @{self.name}({parameters}) attributes {{llvm.emit_c_interface}} "
                f"{{\n  {body}\n  return\n}}\n")

    def run(self, module):
        """The largest error of one execution over its tolerance; infinite if an
        input was overwritten or a NaN is at the wrong place."""
        inputs = [data.copy() for _, data in self.arguments]
        outs = [np.zeros(value.shape, TYPES[value.element]) for _, value in self.outputs]
        module.call(self.name, *inputs, *outs)
        worst = 0.0
        for (_, old), new in zip(self.arguments, inputs):
            if old.tobytes() != new.tobytes():
                return np.inf
        eps = np.finfo(TYPES[self.element]).eps if self.is_float else 0.0
        for out, (_, value) in zip(outs, self.outputs):
            out = out.astype(np.float64)
            with np.errstate(all="ignore"):
                bound = self.rounds * eps * value.magnitude
                error = np.abs(out - value.data) / np.maximum(bound, 1e-300)
            same = (out == value.data) | (np.isnan(out) & np.isnan(value.data))
            error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
            worst = max(worst, float(error.max(initial=0.0)))
        return worst
