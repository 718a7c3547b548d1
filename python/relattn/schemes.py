# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bias schemes, written from their definitions and apart from the compiler.

Each scheme has `values(bias, offsets, zero)`, float64 of shape
`[H or 1, *offsets.shape]`, and `attribute()`, its text in MLIR. Offsets are
key position minus query position.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=None)
def t5_thresholds(buckets, max_distance):
    """The first distance of each bucket of one direction, bucket 0 first.

    With e = buckets // 2 and m = buckets - e, a distance n >= e is in bucket
    e + k or a later one if log(n/e) / log(max_distance/e) * m >= k, which is
    n^m >= max_distance^k * e^(m - k) in integers (Raffel et al. 2020).
    """
    exact = buckets // 2
    log_buckets = buckets - exact
    result = list(range(exact + 1))
    n = exact
    for k in range(1, log_buckets):
        bound = max_distance**k * exact ** (log_buckets - k)
        while n**log_buckets < bound:
            n += 1
        result.append(n)
    return np.array(result, np.int64)


class _Bucketing:
    """A scheme with a table `[num_buckets, H]` or `[num_buckets]`."""

    def values(self, bias, offsets, zero=None):
        rows = np.asarray(bias, np.float64)[self.bucket(offsets)]
        if rows.ndim == offsets.ndim:
            return rows[None]
        return np.moveaxis(rows, -1, 0)


@dataclass(frozen=True)
class T5(_Bucketing):
    """T5 buckets; `buckets` counts both directions when bidirectional."""

    buckets: int
    max_distance: int
    bidirectional: bool = False

    @property
    def num_buckets(self):
        return self.buckets

    def bucket(self, offsets):
        offsets = np.asarray(offsets, np.int64)
        side = self.buckets // 2 if self.bidirectional else self.buckets
        distance = np.abs(offsets) if self.bidirectional else np.maximum(-offsets, 0)
        first = t5_thresholds(side, self.max_distance)
        result = np.searchsorted(first, distance, side="right") - 1
        return result + side * (self.bidirectional & (offsets > 0))

    def attribute(self):
        tail = ", bidirectional" if self.bidirectional else ""
        return (
            f"#relattn.t5<buckets = {self.buckets}, "
            f"max_distance = {self.max_distance}{tail}>"
        )


@dataclass(frozen=True)
class Clip(_Bucketing):
    """clamp(offset, lo, hi) - lo (Shaw et al. 2018)."""

    lo: int
    hi: int

    @property
    def num_buckets(self):
        return self.hi - self.lo + 1

    def bucket(self, offsets):
        return np.clip(offsets, self.lo, self.hi) - self.lo

    def attribute(self):
        return f"#relattn.clip<lo = {self.lo}, hi = {self.hi}>"


@dataclass(frozen=True)
class Steps(_Bucketing):
    """`ids[k]` for the offsets in `[starts[k - 1], starts[k])`."""

    num_buckets: int
    starts: tuple
    ids: tuple

    def bucket(self, offsets):
        place = np.searchsorted(np.array(self.starts), offsets, side="right")
        return np.array(self.ids)[place]

    def attribute(self):
        return (
            f"#relattn.steps<buckets = {self.num_buckets}, "
            f"starts = {list(self.starts)}, ids = {list(self.ids)}>"
        )


@dataclass(frozen=True)
class Alibi:
    """-slope[h] * |offset| (Press et al. 2022)."""

    def values(self, bias, offsets, zero=None):
        slopes = np.asarray(bias, np.float64)
        return -slopes.reshape(-1, *[1] * offsets.ndim) * np.abs(offsets)

    def attribute(self):
        return "#relattn.alibi"


@dataclass(frozen=True)
class Strip:
    """strip[h, zero + offset]; the ends extend."""

    def values(self, bias, offsets, zero=None):
        strip = np.atleast_2d(np.asarray(bias, np.float64))
        place = np.clip(zero + offsets, 0, strip.shape[1] - 1)
        return strip[:, place]

    def attribute(self):
        return "#relattn.strip"


@dataclass(frozen=True)
class Dense:
    """A tensor over `dims`, a subset of "bgrmn", broadcast over the others."""

    dims: str

    def attribute(self):
        return f"#relattn.dense<({', '.join(self.dims)})>"
