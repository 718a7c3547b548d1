# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One attention problem: inputs, the op in MLIR, and the comparison."""

from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

from relattn import oracle
from relattn.schemes import Dense, Strip

MLIR_TYPES = {
    np.dtype(np.float16): "f16",
    np.dtype(ml_dtypes.bfloat16): "bf16",
    np.dtype(np.float32): "f32",
    np.dtype(np.float64): "f64",
    np.dtype(np.int32): "i32",
    np.dtype(np.int64): "i64",
    np.dtype(bool): "i1",
}


def accumulator(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def shaped(kind, array, dynamic=(), element=None):
    """memref<...> or tensor<...>; axes in `dynamic` are `?`."""
    sizes = ["?" if i in dynamic else str(s) for i, s in enumerate(array.shape)]
    return f"{kind}<{'x'.join([*sizes, element or MLIR_TYPES[array.dtype]])}>"


@dataclass
class Case:
    """Arrays and options as `oracle.attention` takes them, and how the IR
    writes them. `dynamic` is the set of dimensions with unknown size."""

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    output_dtype: type
    maps: tuple
    dynamic: str = ""
    scheme: object = None
    bias: np.ndarray = None
    zero: int = None
    band: tuple = (None, None)
    mask: np.ndarray = None
    mask_dims: str = None
    query_offset: object = None
    query_offset_is_constant: bool = False
    key_lengths: np.ndarray = None
    index_lengths: bool = False
    scale: float = 1.0
    with_lse: bool = False
    tags: list = field(default_factory=list)

    def expected(self):
        return oracle.attention(
            self.query, self.key, self.value, scheme=self.scheme, bias=self.bias,
            zero=self.zero, band=self.band, mask=self.mask, mask_dims=self.mask_dims,
            query_offset=0 if self.query_offset is None else self.query_offset,
            key_lengths=self.key_lengths, scale=self.scale, maps=self.maps,
        )

    # -- the function ---------------------------------------------------------

    def _axes(self, dims):
        return [i for i, d in enumerate(dims) if d in self.dynamic]

    def _tensors(self):
        """(name, array, dynamic axes, element type) of every memref argument
        but the outputs."""
        result = [
            ("query", self.query, self._axes(self.maps[0]), None),
            ("key", self.key, self._axes(self.maps[1]), None),
            ("value", self.value, self._axes(self.maps[2]), None),
        ]
        if self.bias is not None:
            if isinstance(self.scheme, Dense):
                axes = self._axes(self.scheme.dims)
            elif isinstance(self.scheme, Strip):
                axes = [self.bias.ndim - 1] if self.dynamic else []
            else:
                axes = [self.bias.ndim - 1] if "g" in self.dynamic and self.bias.ndim > 1 else []
            result.append(("bias", self.bias, axes, None))
        if self.mask is not None:
            result.append(("mask", self.mask, self._axes(self.mask_dims), None))
        if isinstance(self.query_offset, np.ndarray):
            result.append(("query_offset", self.query_offset, self._axes("b"), None))
        if self.key_lengths is not None:
            element = "index" if self.index_lengths else None
            result.append(("key_lengths", self.key_lengths, self._axes("b"), element))
        return result

    def _outputs(self, result):
        outputs = [("out", self.maps[3], result.output, self.output_dtype)]
        if self.with_lse:
            dims = "".join(d for d in "bgrm" if d in self.maps[3])
            outputs.append(("lse", dims, result.lse, accumulator(self.query.dtype)))
        return outputs

    def function(self, name, result):
        """The MLIR function; `result` is that of `expected()`."""
        signature, body, types = [], [], {}
        for tensor, array, axes, element in self._tensors():
            memref = shaped("memref", array, axes, element)
            types[tensor] = shaped("tensor", array, axes, element)
            signature.append(f"%{tensor}_buffer: {memref}")
            body.append(
                f"%{tensor} = bufferization.to_tensor %{tensor}_buffer restrict "
                f": {memref} to {types[tensor]}"
            )
        if self.zero is not None:
            signature.append("%zero: index")
        scalar_offset = self.query_offset is not None and not isinstance(
            self.query_offset, np.ndarray
        )
        if scalar_offset and self.query_offset_is_constant:
            body.append(f"%query_offset = arith.constant {self.query_offset} : index")
        elif scalar_offset:
            signature.append("%query_offset: index")
        outputs = self._outputs(result)
        for out, dims, array, dtype in outputs:
            array = np.empty(array.shape, dtype)
            memref = shaped("memref", array, self._axes(dims))
            types[out] = shaped("tensor", array, self._axes(dims))
            signature.append(f"%{out}_buffer: {memref}")
            body.append(
                f"%{out}_init = bufferization.to_tensor %{out}_buffer restrict writable "
                f": {memref} to {types[out]}"
            )
        results = ", ".join(f"%{out}" for out, *_ in outputs)
        body.append(f"{results} = {self.operation(types, outputs)}")
        for out, dims, array, dtype in outputs:
            memref = shaped("memref", np.empty(array.shape, dtype), self._axes(dims))
            body.append(
                f"bufferization.materialize_in_destination %{out} in restrict writable "
                f"%{out}_buffer : ({types[out]}, {memref}) -> ()"
            )
        lines = "\n  ".join(body)
        return (
            f"func.func @{name}({', '.join(signature)}) "
            f"attributes {{llvm.emit_c_interface}} {{\n  {lines}\n  return\n}}\n"
        )

    def operation(self, types, outputs):
        names = lambda dims: f"({', '.join(dims)})"
        parts = ["relattn.attention"]
        lo, hi = self.band
        if (lo, hi) != (None, None):
            text = [("*" if x is None else str(x)) for x in (lo, hi)]
            parts.append("causal" if text == ["*", "0"] else f"band<{text[0]}, {text[1]}>")
        if self.scale != 1.0:
            parts.append(f"scale({self.scale!r})")
        parts.append(
            f"maps({names(self.maps[0])}, {names(self.maps[1])}, {names(self.maps[2])}"
            f" -> {names(self.maps[3])})"
        )
        parts.append(
            f"ins(%query, %key, %value : {types['query']}, {types['key']}, {types['value']})"
        )
        if self.scheme is not None:
            zero = ", %zero" if self.zero is not None else ""
            parts.append(f"bias({self.scheme.attribute()}, %bias{zero} : {types['bias']})")
        if self.mask is not None:
            parts.append(f"mask(%mask {names(self.mask_dims)} : {types['mask']})")
        if self.query_offset is not None:
            kind = types.get("query_offset", "index")
            parts.append(f"query_offset(%query_offset : {kind})")
        if self.key_lengths is not None:
            parts.append(f"key_lengths(%key_lengths : {types['key_lengths']})")
        inits = ", ".join(f"%{out}_init" for out, *_ in outputs)
        kinds = ", ".join(types[out] for out, *_ in outputs)
        parts.append(f"outs({inits} : {kinds})")
        # For scripts that tile: how many loops the op has for them; none if it is
        # statically empty.
        arrays = zip(self.maps, (self.query, self.key, self.value))
        is_empty = any(size == 0 and d not in self.dynamic for dims, array in arrays for d, size in zip(dims, array.shape))
        parts.append(f"{{loops = {0 if is_empty else sum(d in 'bgm' for d in self.maps[3])} : i64}}")
        return "\n      ".join(parts)

    def on_matrix_units(self):
        """Whether a GPU's matrix units take it: weights are rounded then."""
        depths = self.query.shape[self.maps[0].index("d")], self.value.shape[self.maps[2].index("e")]
        return self.query.dtype.itemsize == 2 and all(d % 16 == 0 and d <= 128 for d in depths)

    # -- execution ------------------------------------------------------------

    def run(self, module, name, result):
        """Calls the compiled function; returns its outputs."""
        arguments = [array for _, array, *_ in self._tensors()]
        if self.zero is not None:
            arguments.append(self.zero)
        if isinstance(self.query_offset, (int, np.integer)) and not self.query_offset_is_constant:
            arguments.append(int(self.query_offset))
        outputs = []
        for _, _, array, dtype in self._outputs(result):
            # Whatever is in the destination must not matter.
            outputs.append(np.full(array.shape, np.nan, dtype))
        module.call(name, *map(_contiguous, arguments), *outputs)
        return outputs

    def check(self, outputs, result, **roundings):
        """The largest error over its tolerance, and a message if above 1;
        `roundings` as oracle.tolerance has them."""
        bounds = oracle.tolerance(result, self.query.dtype, self.output_dtype, **roundings)
        worst, message = 0.0, None
        references = [result.output, result.lse]
        for output, reference, bound, what in zip(outputs, references, bounds, ("output", "lse")):
            holds_nan = bool(np.isnan(self.query.astype(np.float64)).any())
            ratio, text = compare(output, reference, bound, holds_nan)
            if ratio > worst:
                worst, message = ratio, f"{what}: {text}"
        return worst, (message if worst > 1 else None)


def _contiguous(argument):
    if isinstance(argument, np.ndarray) and not argument.flags.c_contiguous:
        return argument.copy(order="C")
    return argument


def compare(actual, expected, bound, holds_nan=False):
    """(worst error / bound, where). NaN and infinities must coincide, but that a
    query which holds NaN (`holds_nan`: there is one) may give NaN where it sees
    no key."""
    actual = np.asarray(actual).astype(np.float64)
    if actual.size == 0:
        return 0.0, "empty"
    bound = np.broadcast_to(bound, actual.shape)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    if holds_nan:
        same |= np.isnan(actual) & ((expected == 0) | (expected == -np.inf))
    with np.errstate(all="ignore"):
        ratio = np.where(same, 0.0, np.abs(actual - expected) / bound)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    place = np.unravel_index(np.argmax(ratio), ratio.shape)
    return float(ratio[place]), (
        f"at {tuple(map(int, place))}: got {actual[place]:.9g}, expected "
        f"{expected[place]:.9g}, allowed error {bound[place]:.3g}"
    )
