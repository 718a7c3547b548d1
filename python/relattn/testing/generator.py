# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws random legal attention problems over every option of the op."""

import ml_dtypes
import numpy as np

from relattn.schemes import T5, Alibi, Clip, Dense, Steps, Strip
from relattn.testing.case import Case, accumulator

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
#: Around every block size that a tuned path may use.
LENGTHS = [1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129]
LONG_LENGTHS = [255, 257, 300, 512, 700]
DEPTHS = [1, 2, 7, 8, 16, 17, 32, 33, 64, 80, 128]
T5_PARAMETERS = [(32, 128), (8, 20), (16, 64), (32, 32), (64, 256), (4, 5), (12, 9)]
#: On a GPU: what its matrix units take, and what they do not.
GPU_DTYPES = [np.float16, ml_dtypes.bfloat16, np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
GPU_DEPTHS = [16, 32, 64, 80, 96, 128, 16, 32, 64, 128, 1, 7, 33, 40, 160, 256]
#: Multiply-adds of one case; keeps a hundred cases within a minute.
BUDGET = 6e6


def drops_wrong_unit(dims, sizes):
    """Whether a batch dimension is inside of d or e of size 1 and another one: no
    schedule of a GPU takes that."""
    unit = next((i for i, d in enumerate(dims) if d in "de" and sizes[d] == 1), len(dims))
    other = next((i for i, d in enumerate(dims) if d in "mnde" and i > unit), len(dims))
    return any(d in "bgr" for d in dims[other:])


class Generator:
    """A stream of cases from a seed; `next()` also counts what it drew in
    `tags` of the case. `for_gpu`: types and depths that its schedules tell
    apart, no size of 0. `many_queries`: half of the cases have more queries than a
    block, and a d and e that a CPU's matrix unit takes. `dtypes` and `max_depth`: of
    what can be drawn, what is."""

    def __init__(self, seed, budget=BUDGET, for_gpu=False, many_queries=False, dtypes=None, max_depth=None):
        self.rng = np.random.default_rng(seed)
        self.budget = 3 * budget if many_queries else budget
        self.for_gpu = for_gpu
        self.many_queries = many_queries
        self.dtypes = [t for t in (GPU_DTYPES if for_gpu else DTYPES) if not dtypes or np.dtype(t).name in dtypes]
        self.depths = [d for d in (GPU_DEPTHS if for_gpu else DEPTHS) if not max_depth or d <= max_depth]

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, probability):
        return self.rng.random() < probability

    def next(self):
        while True:
            sizes = self.draw_sizes()
            work = np.prod([max(sizes[d], 1) for d in "bgrmn"]) * (sizes["d"] + sizes["e"] + 8)
            if work <= self.budget and not (self.for_gpu and 0 in sizes.values()):
                return self.draw_case(sizes)

    # -- parts ----------------------------------------------------------------

    def draw_sizes(self):
        def length():
            if self.chance(0.02):
                return 0
            return self.pick(*LONG_LENGTHS) if self.chance(0.15) else self.pick(*LENGTHS)

        depth = self.pick(*self.depths)
        if self.many_queries and self.chance(0.5):
            return {
                "b": self.pick(1, 1, 2), "g": self.pick(1, 2), "r": self.pick(1, 1, 2),
                "m": self.pick(257, 300, 320, 512), "n": self.pick(31, 33, 64, 255, 257, 300, 512),
                "d": self.pick(24, 32, 33, 64, 96), "e": self.pick(16, 24, 40, 64, 80),
            }
        return {
            "b": 0 if self.chance(0.01) else self.pick(1, 1, 2, 3),
            "g": 0 if self.chance(0.005) else self.pick(1, 2, 3, 4),
            "r": self.pick(1, 2, 3),
            "m": self.pick(1, 1, 2, 3, 5, 8, 9) if self.chance(0.2) else length(),
            "n": length(),
            "d": 0 if self.chance(0.01) else depth,
            "e": depth if self.chance(0.6) else self.pick(*self.depths),
        }

    def draw_maps(self, sizes):
        """Maps and their tag; dimensions that no map has get size 1."""
        kind = self.pick("md", "gmd", "bhsd", "bhsd", "bshd", "grouped", "permuted")
        if kind == "md":
            maps = ("md", "nd", "ne", "me")
        elif kind == "gmd":
            maps = ("gmd", "gnd", "gne", "gme")
        elif kind == "bhsd":
            maps = ("bgmd", "bgnd", "bgne", "bgme")
        elif kind == "bshd":
            maps = ("bmgd", "bngd", "bnge", "bmge")
        elif kind == "grouped":
            maps = ("bgrmd", "bgnd", "bgne", "bgrme")
        else:
            batch = [d for d in "bgr" if self.chance(0.7)]
            subset = [d for d in batch if self.chance(0.7)]
            mix = lambda dims: "".join(self.rng.permutation(dims))
            maps = (
                mix([*batch, "m", "d"]), mix([*subset, "n", "d"]),
                mix([*subset, "n", "e"]), mix([*batch, "m", "e"]),
            )
        for d in "bgr":
            if d not in maps[3]:
                sizes[d] = 1
        return maps, f"layout {kind}"

    def draw_scheme(self, sizes, case, offset):
        """Sets scheme, bias and zero; returns the tag. `offset` is an array
        of the query offsets."""
        h, m, n = sizes["g"] * sizes["r"], sizes["m"], sizes["n"]
        kind = self.pick(
            "none", "t5 both", "t5 both", "t5 one-sided", "textbook", "clip",
            "per offset", "steps", "many steps", "alibi", "strip", "short strip", "dense",
        )
        dtype = self.pick(case.query.dtype.type, accumulator(case.query.dtype))
        normal = lambda *shape: np.asarray(self.rng.standard_normal(shape), dtype)
        if kind == "none":
            return "bias none"
        if kind.startswith("t5"):
            buckets, distance = self.pick(*T5_PARAMETERS)
            case.scheme = T5(buckets, distance, kind == "t5 both")
            if distance <= buckets // (4 if kind == "t5 both" else 2):
                case.scheme = T5(buckets, buckets + 1, kind == "t5 both")
        elif kind == "textbook":
            case.scheme = self.pick(T5(4, 5), T5(32, 128), T5(18, 50))
        elif kind == "clip":
            case.scheme = self.pick(Clip(-3, 5), Clip(-16, 16), Clip(2, 2), Clip(-40, -7))
        elif kind == "per offset":
            lo = -(m - 1) - int(offset.max(initial=0))
            hi = n - 1 - int(offset.min(initial=0))
            case.scheme = Clip(lo, max(lo, hi))
        elif kind == "steps":
            count = self.pick(1, 2, 5, 9)
            starts = np.sort(self.rng.choice(np.arange(-60, 60), count - 1, replace=False))
            ids = self.rng.integers(0, count + 2, count)
            case.scheme = Steps(count + 2, tuple(map(int, starts)), tuple(map(int, ids)))
        elif kind == "many steps":
            # More intervals than a strip is made of runs of, of few buckets; equal
            # neighbours would be one.
            starts = np.sort(self.rng.choice(np.arange(-60, 60), self.pick(70, 100), replace=False))
            ids = np.cumsum(self.rng.integers(1, 9, len(starts) + 1)) % 9
            case.scheme = Steps(9, tuple(map(int, starts)), tuple(map(int, ids)))
        elif kind == "alibi":
            case.scheme = Alibi()
            case.bias = (2.0 ** (-8.0 * np.arange(1, h + 1) / max(h, 1))).astype(dtype)
            return "bias alibi"
        elif kind == "strip":
            lo = -(m - 1) - int(offset.max(initial=0))
            hi = n - 1 - int(offset.min(initial=0))
            case.scheme, case.zero = Strip(), -lo
            case.bias = normal(h, max(hi - lo + 1, 1))
            return "bias strip"
        elif kind == "short strip":
            case.scheme, case.zero = Strip(), int(self.rng.integers(-3, 12))
            case.bias = normal(9) if self.chance(0.5) else normal(h, 9)
            return "bias short strip"
        else:
            dims = "".join(
                self.rng.permutation([d for d in "bgr" if d in case.maps[3] and self.chance(0.6)]
                                     + [d for d in "mn" if self.chance(0.8)])
            )
            case.scheme = Dense(dims)
            case.bias = normal(*[sizes[d] for d in dims])
            return "bias dense"
        rows = case.scheme.num_buckets
        case.bias = normal(rows) if self.chance(0.1) else normal(rows, h)
        if case.bias.ndim == 1:
            case.tags.append("table shared by heads")
        if self.for_gpu and self.chance(0.2):
            # The outer buckets are what whole loops have in common.
            case.bias[self.pick(0, -1, rows // 2 - 1)] = -np.inf
            case.tags.append("a bucket hidden")
        return f"bias {kind}"

    def draw_mask(self, sizes, case):
        kind = self.pick("none", "none", "bool", "additive", "additive -inf")
        if kind == "none":
            return "mask none"
        dims = [d for d in "bgr" if d in case.maps[3] and self.chance(0.5)]
        dims += [d for d in "mn" if self.chance(0.8)]
        if self.chance(0.3):
            dims = list(self.rng.permutation(dims))
        case.mask_dims = "".join(dims)
        shape = [sizes[d] for d in dims]
        if kind == "bool":
            case.mask = np.asarray(self.rng.random(shape) < 0.7)
            return "mask bool"
        dtype = self.pick(case.query.dtype.type, accumulator(case.query.dtype))
        case.mask = np.asarray(self.rng.standard_normal(shape), dtype)
        if kind == "additive -inf":
            hidden = self.rng.random(shape) < 0.3
            case.mask = np.where(hidden, dtype(-np.inf), case.mask)
        return f"mask {kind}"

    def draw_values(self, sizes, maps, dtype):
        """Query, key and value, and the tag of their distribution."""
        def normal(dims):
            return self.rng.standard_normal([sizes[d] for d in dims])

        query, key, value = normal(maps[0]), normal(maps[1]), normal(maps[2])
        kind = self.pick(
            "normal", "normal", "rising", "large", "tiny", "positive values", "one query NaN"
        )
        depth = max(sizes["d"], 1)
        if kind == "rising":
            # Later keys score higher, so a running maximum keeps moving.
            query = np.abs(query)
            shape = [sizes[d] if d == "n" else 1 for d in maps[1]]
            key = np.abs(key) * np.linspace(0.1, 4.0, sizes["n"]).reshape(shape)
        elif kind == "large":
            # Scores up to about 1e4.
            query *= 1e2 / depth**0.25 / 3
            key *= 1e2 / depth**0.25 / 3
        elif kind == "tiny":
            query *= 1e-3
            key *= 1e-3
        elif kind == "positive values":
            value = np.abs(value)
        elif kind == "one query NaN" and sizes["m"]:
            # Its row is NaN if it sees a key, and no other is.
            place = [slice(None)] * query.ndim
            place[maps[0].index("m")] = self.rng.integers(sizes["m"])
            query[tuple(place)] = np.nan
        return (
            query.astype(dtype), key.astype(dtype), value.astype(dtype), f"values {kind}"
        )

    def draw_offset(self, sizes, case):
        """Sets query_offset; returns its tag and the offsets as an array."""
        b, m, n = sizes["b"], sizes["m"], sizes["n"]
        per_batch = "b" in case.maps[3]
        kind = self.pick("none", "none", "constant", "index", "per batch")
        if kind == "per batch" and not per_batch:
            kind = "index"
        draw = lambda: int(self.pick(n - m, self.rng.integers(-40, 200), -n, 3))
        if kind == "none":
            return "query_offset none", np.zeros(1, np.int64)
        if kind == "per batch":
            case.query_offset = np.array([draw() for _ in range(b)], self.pick(np.int32, np.int64))
            return "query_offset per batch", case.query_offset
        case.query_offset = draw()
        case.query_offset_is_constant = kind == "constant"
        return f"query_offset {kind}", np.array([case.query_offset])

    def draw_band(self, case):
        kind = self.pick("none", "none", "causal", "causal", "window", "lower", "random", "empty")
        if kind == "causal":
            case.band = (None, 0)
        elif kind == "window":
            case.band = (-self.pick(0, 3, 16, 63), 0)
        elif kind == "lower":
            case.band = (int(self.rng.integers(-70, 10)), None)
        elif kind == "random":
            lo = int(self.rng.integers(-70, 30))
            case.band = (lo, lo + int(self.rng.integers(0, 60)))
        elif kind == "empty":
            # Rarely: it hides everything.
            if not self.chance(0.2):
                return "band none"
            case.band = (1, 0)
        return f"band {kind}"

    def draw_lengths(self, sizes, case):
        if "b" not in case.maps[3] or not self.chance(0.35):
            return "key_lengths none"
        b, n = sizes["b"], sizes["n"]
        lengths = self.rng.integers(-1, n + 3, b)
        case.key_lengths = lengths.astype(self.pick(np.int32, np.int64))
        case.index_lengths = case.key_lengths.dtype == np.int64 and self.chance(0.5)
        # Cache slots that were never written.
        axis = {d: i for i, d in enumerate(case.maps[1])}
        for dims, array in ((case.maps[1], case.key), (case.maps[2], case.value)):
            if "b" not in dims:
                continue  # shared by the batch: another entry may see them
            axis = {d: i for i, d in enumerate(dims)}
            for entry, length in enumerate(np.clip(lengths, 0, n)):
                place = [slice(None)] * array.ndim
                place[axis["b"]], place[axis["n"]] = entry, slice(length, None)
                array[tuple(place)] = np.nan
        return "key_lengths given"

    # -- the case -------------------------------------------------------------

    def draw_case(self, sizes):
        maps, layout = self.draw_maps(sizes)
        while self.for_gpu and any(drops_wrong_unit(dims, sizes) for dims in maps):
            maps, layout = self.draw_maps(sizes)
        dtype = self.pick(*self.dtypes)
        query, key, value, values = self.draw_values(sizes, maps, dtype)
        case = Case(
            query=query, key=key, value=value, maps=maps,
            output_dtype=self.pick(dtype, dtype, accumulator(np.dtype(dtype))),
            dynamic=self.pick("", "bmn", "bgrmn" if self.for_gpu else "bgrmnde", "mn", "n"),
            scale=self.pick(1.0, 1.0, 0.125, max(sizes["d"], 1) ** -0.5, -0.75, 0.0),
            with_lse=self.chance(0.5),
        )
        offset_tag, offsets = self.draw_offset(sizes, case)
        case.tags += [
            f"dtype {np.dtype(dtype).name}", layout, values, offset_tag,
            self.draw_scheme(sizes, case, offsets), self.draw_band(case),
            self.draw_mask(sizes, case), self.draw_lengths(sizes, case),
            "sizes dynamic" if case.dynamic else "sizes static",
            "lse" if case.with_lse else "no lse",
            "scale 1" if case.scale == 1.0 else "scaled",
            "output as inputs" if case.output_dtype == dtype else "output as accumulator",
        ]
        if 0 in (sizes["m"], sizes["n"], sizes["b"], sizes["d"], sizes["g"]):
            case.tags.append("a size of 0")
        if max(sizes["m"], sizes["n"]) > 200:
            case.tags.append("longer than saturation")
        return case
