# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: shapes, inputs, and what must come out."""

import dataclasses
import re

import ml_dtypes
import numpy as np

import relattn

#: By name, with the largest error that is taken for rounding.
DTYPES = {"f32": np.dtype(np.float32), "bf16": np.dtype(ml_dtypes.bfloat16)}
MAX_ERROR = {"f32": 1e-4, "bf16": 3e-2}

SCHEME = relattn.T5(32, 128, bidirectional=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """One attention, B = 1; the last query stands at the last key.

    Written as "H8 M=N=512 D64 causal BSHD" or "H12 M=1 N=2048 D64 bf16" (else f32).
    """

    heads: int
    queries: int
    keys: int
    depth: int
    causal: bool = False
    layout: str = "BHSD"
    kind: str = "f32"

    @classmethod
    def parse(cls, text):
        match = re.fullmatch(r"H(\d+) (?:M=N=(\d+)|M=(\d+) N=(\d+)) D(\d+)( causal)?( BSHD)?( bf16)?", text)
        if not match:
            raise ValueError(f"expected a case such as 'H8 M=N=512 D64 causal', got '{text}'")
        heads, both, queries, keys, depth, causal, layout, kind = match.groups()
        return cls(int(heads), int(both or queries), int(both or keys), int(depth), bool(causal), "BSHD" if layout else "BHSD",
                   "bf16" if kind else "f32")

    def __str__(self):
        lengths = f"M=N={self.keys}" if self.queries == self.keys else f"M={self.queries} N={self.keys}"
        return f"H{self.heads} {lengths} D{self.depth}" + " causal" * self.causal + " BSHD" * (self.layout == "BSHD") + " bf16" * (self.kind == "bf16")

    @property
    def dtype(self):
        return DTYPES[self.kind]

    @property
    def query_offset(self):
        return self.keys - self.queries

    @property
    def is_decode(self):
        """Few queries: what counts is reading keys and values."""
        return self.queries <= 8 < self.keys

    @property
    def operations(self):
        pairs = self.queries * self.keys
        if self.causal:
            pairs -= self.queries * (self.queries - 1) // 2
        return 4 * self.heads * self.depth * pairs

    def offsets(self, rows=slice(None)):
        """j - i of some queries [m, N]."""
        return np.arange(self.keys)[None, :] - (np.arange(self.queries)[rows, None] + self.query_offset)

    def inputs(self):
        """q, k, v [1, H, M or N, D] and the table [32, H]. Keys and values are
        neighbours in memory: one read."""
        rng = np.random.default_rng(0)
        q = aligned((1, self.heads, self.queries, self.depth), self.dtype)
        cache = aligned((2, 1, self.heads, self.keys, self.depth), self.dtype)
        q[:] = rng.standard_normal(q.shape, np.float32) * self.depth ** -0.5
        cache[:] = rng.standard_normal(cache.shape, np.float32)
        return q, cache[0], cache[1], rng.standard_normal((32, self.heads)).astype(np.float32)

    def dense_bias(self, table, hidden=-np.inf):
        """[1, H, M, N]."""
        bias = np.empty((1, self.heads, self.queries, self.keys), self.dtype)
        for first in range(0, self.queries, 256):
            offsets = self.offsets(slice(first, first + 256))
            part = table[SCHEME.bucket(offsets)].transpose(2, 0, 1)
            bias[0, :, first:first + 256] = np.where(offsets > 0, hidden, part) if self.causal else part
        return bias

    def error(self, output, inputs):
        """The largest error of some rows of an output [1, H, M, D]."""
        q, k, v, table = inputs
        rows = np.unique(np.linspace(0, self.queries - 1, 17).astype(int))
        offsets, worst = self.offsets(rows), 0.0
        for head in {0, self.heads - 1}:
            scores = q[0, head, rows].astype(np.float64) @ k[0, head].T.astype(np.float64)
            scores += table[SCHEME.bucket(offsets), head]
            if self.causal:
                scores[offsets > 0] = -np.inf
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            exact = weights @ v[0, head].astype(np.float64) / weights.sum(axis=1, keepdims=True)
            worst = max(worst, float(np.abs(output[0, head, rows].astype(np.float64) - exact).max()))
        return worst


def aligned(shape, dtype):
    """Zeros on a cache line, as allocators of tensors give them."""
    count = int(np.prod(shape))
    raw = np.zeros(count + 64 // dtype.itemsize, dtype)
    start = (-raw.ctypes.data % 64) // dtype.itemsize
    return raw[start:start + count].reshape(shape)


#: Sets of cases by name.
SETS = {
    "table": [
        "H12 M=N=2048 D64", "H16 M=N=4096 D64", "H8 M=N=512 D64", "H8 M=N=1024 D128", "H12 M=N=2048 D64 causal", "H8 M=N=512 D64 causal"],
    "tails": ["H8 M=N=2047 D64", "H8 M=N=2048 D64", "H8 M=N=1000 D64", "H8 M=N=1024 D64", "H8 M=N=500 D64", "H8 M=N=512 D64",
              "H8 M=N=77 D64", "H8 M=N=128 D64"],
    "depths": [f"H8 M=N=1024 D{depth}" for depth in (32, 40, 64, 80, 96, 128, 256)],
    "layouts": ["H12 M=N=2048 D64", "H12 M=N=2048 D64 BSHD", "H16 M=N=2048 D64", "H16 M=N=2048 D64 BSHD", "H8 M=N=512 D64 BSHD"],
    "decode": ["H12 M=1 N=512 D64", "H12 M=1 N=2048 D64", "H12 M=1 N=8192 D64", "H12 M=4 N=2048 D64"],
    "lengths": [f"H8 M=N={length} D64" for length in (32, 64, 128, 256, 512, 1024, 2048, 4096)],
    "bf16": [f"{case} bf16" for case in ("H12 M=N=2048 D64", "H8 M=N=512 D64", "H8 M=N=1024 D128", "H12 M=N=2048 D64 causal",
                                         "H8 M=N=512 D64 causal", "H12 M=1 N=2048 D64")],
    "tiny": ["H2 M=N=40 D64", "H2 M=N=33 D64 causal", "H2 M=N=40 D16 BSHD", "H2 M=1 N=64 D64",
             "H2 M=N=300 D64 bf16"],
}
