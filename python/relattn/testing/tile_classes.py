# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kinds of tiles the tuned schedule visits in a case.

Counted from the sizes that `relattn-tile-attention` documents, for one batch entry
with its own offset and length. What it counts is what a bug can hide in: loops over
tiles that are skipped, cut, or shared out, and the two sides of every boundary.
"""

import re
from collections import Counter

import numpy as np

from relattn.schemes import Dense

CLASSES = [
    "tiles skipped", "tiles on the band's edge", "tiles inside one interval", "tiles across intervals",
    "tiles of few queries", "tiles of few keys", "whole tiles", "second block of queries", "rows", "keys and values copied",
]
#: In pipelines with `workers`.
SPLIT = "rows with split keys"


def options(pipeline):
    """The sizes that a pipeline names, else the pass's defaults."""
    sizes = {"lanes": 16, "panels": 4, "keys": 96, "rows": 8, "row-keys": 256, "workers": 1}
    for name in sizes:
        found = re.search(rf"\b(?<![-\w]){name}=(\d+)", pipeline)
        if found:
            sizes[name] = int(found[1])
    return sizes


def tile_classes(case, pipeline=""):
    """Counts of CLASSES and SPLIT; empty where the reference schedule serves."""
    size = {}
    for dims, array in zip(case.maps, (case.query, case.key, case.value)):
        size.update(zip(dims, array.shape))
    counts = Counter()
    if {"d", "e"} & set(case.dynamic) or 0 in size.values():
        return counts
    option = options(pipeline)
    halves = (case.query.dtype == np.float64) + (size["d"] >= 128)
    lanes = option["lanes"] // (2 if case.query.dtype == np.float64 else 1)
    keys = option["keys"] >> halves
    m, n = size["m"], size["n"]
    if "m" not in case.dynamic and m <= option["rows"]:
        counts["rows"] += 1
        lanes, keys = 1, option["row-keys"]
        entries = np.prod([size.get(d, 1) for d in "bgr"])
        counts[SPLIT] += option["workers"] > entries and n > keys
    block = lanes * (m if lanes == 1 else option["panels"])
    counts["second block of queries"] += m > block
    if lanes != 1 and ("m" in case.dynamic or m > block):
        counts["keys and values copied"] += any(not dims.endswith(("nd", "ne")) for dims in case.maps[1:3])

    first = lambda value, default: default if value is None else int(np.asarray(value).reshape(-1)[0])
    shift, length = first(case.query_offset, 0), min(n, max(0, first(case.key_lengths, n)))
    low, high = (first(bound, default) for bound, default in zip(case.band, (-10**9, 10**9)))
    for query in range(0, m, lanes):
        i = np.arange(query, min(query + lanes, m))[:, None] + shift
        for key in range(0, n, keys):
            j = np.arange(key, min(key + keys, length))[None, :]
            visible = (j - i >= low) & (j - i <= high)
            if not visible.any():
                counts["tiles skipped"] += 1
                continue
            counts["tiles on the band's edge"] += not visible.all()
            counts["tiles of few queries"] += len(i) < lanes
            counts["tiles of few keys"] += j.size < keys
            counts["whole tiles"] += len(i) == lanes and j.size == keys and bool(visible.all())
            if case.scheme is not None and hasattr(case.scheme, "bucket") and not isinstance(case.scheme, Dense):
                buckets = case.scheme.bucket(j - i)
                counts["tiles inside one interval"] += bool((buckets == buckets.flat[0]).all())
                counts["tiles across intervals"] += bool((buckets != buckets.flat[0]).any())
    return counts
