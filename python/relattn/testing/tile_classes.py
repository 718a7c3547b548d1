# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kinds of tiles the tuned schedule visits in a case.

Counted from the sizes that the pipeline names, else from those of its target-cpu
if they are known here, else from the defaults of `relattn-tile-attention` (the
host's own may differ), for the first batch entry. What it counts is what a bug can
hide in: tiles that are skipped, cut or shared out, and the two sides of every
boundary.
"""

import math
import re
from collections import Counter

import numpy as np

from relattn.schemes import Dense

CLASSES = [
    "tiles skipped", "tiles on the band's edge", "tiles inside one interval", "tiles across intervals",
    "tiles of few queries", "tiles of few keys", "whole tiles", "second block of queries", "rows", "keys and values copied",
    "strips in runs", "strips of many buckets",
]
#: Buckets and intervals up to which a strip is made of runs.
MAX_RUNS = 64
#: For a GPU's workgroups, which have a loop for each kind of tile.
GPU_CLASSES = [
    "tiles skipped", "tiles on the band's edge", "tiles of the first interval", "tiles across intervals",
    "tiles of the last interval", "tiles of few queries", "tiles of few keys", "whole tiles", "second block of queries",
]
#: In pipelines with `dynamic-rows`.
DYNAMIC_ROWS = "rows of a dynamic number"
#: In pipelines with `lanes` of 32 and more.
HALF = "half a panel"
#: Panels are not made narrower.
MIN_LANES = 16
#: In pipelines for a CPU's matrix unit: its lanes, panels and keys.
PAIRS = ["factors in pairs", "in pairs, second block of queries", "in pairs, second block of keys"]
PAIR_SIZES = 64, 4, 256
#: In pipelines with `workers`.
SPLIT = ["rows with split keys", "panels with split keys", "blocks of fewer panels"]


def expected(pipeline):
    """The classes that a run must draw."""
    if "relattn-to-gpu" in pipeline:
        return GPU_CLASSES
    if "schedule=reference" in pipeline and "relattn-tile-attention" not in pipeline:
        return []
    classes = CLASSES + (SPLIT if options(pipeline)["workers"] > 1 else [])
    if "dynamic-rows" in pipeline:
        classes = [*classes, DYNAMIC_ROWS]
    if options(pipeline)["lanes"] // 2 >= MIN_LANES:
        classes = [*classes, HALF]
    if weight_parts(pipeline):
        classes = classes + PAIRS
    if options(pipeline)["lanes"] == 1:
        classes.remove("tiles of few queries")
    return classes


def options(pipeline):
    """The sizes that a pipeline or its target-cpu names, else the pass's defaults."""
    sizes = {"lanes": 16, "panels": 4, "keys": 96, "rows": 8, "row-keys": 512, "workers": 1}
    if "target-cpu=x86-64-v4" in pipeline:
        sizes.update(lanes=64, panels=2)
    for name in sizes:
        found = re.search(rf"\b(?<![-\w]){name}=(\d+)", pipeline)
        if found:
            sizes[name] = int(found[1])
    return sizes


def weight_parts(pipeline):
    """In pairs of bf16, for a CPU's matrix unit; 0: not in pairs."""
    found = re.search(r"\b(?:weight-parts=(\d)|matrix-unit=(highest|high|medium)\b)", pipeline)
    return int(found[1] or {"highest": 3, "high": 2, "medium": 1}[found[2]]) if found else 0


def sizes_of(case):
    size = {}
    for dims, array in zip(case.maps, (case.query, case.key, case.value)):
        size.update(zip(dims, array.shape))
    return size


def are_pairs(case):
    """Whether relattn-tile-attention takes a case to a CPU's matrix unit, if it is
    to use one; of a dynamic number of queries that is few, `dynamic-rows` does not."""
    size = sizes_of(case)
    if {"d", "e"} & set(case.dynamic) or 0 in size.values() or case.query.dtype == np.float64:
        return False
    lanes, panels, _ = PAIR_SIZES
    padded = -(-size["d"] // 32) * 32 + -(-size["e"] // 16) * 16
    is_one_block = "m" not in case.dynamic and size["m"] <= lanes * panels
    of_entry = case.key_lengths is not None or np.ndim(case.query_offset) > 0
    is_known = not of_entry or all("b" in dims for dims in case.maps[1:3])
    return not is_one_block and is_known and 2 * padded <= 3 * (size["d"] + size["e"])


def pair_roundings(case, pipeline):
    """What factors in pairs round, for oracle.tolerance."""
    if not weight_parts(pipeline) or not are_pairs(case):
        return {}
    parts = {"bfloat16": 1, "float16": 2, "float32": 3}[case.query.dtype.name]
    is_scaled = abs(math.frexp(case.scale)[0]) != 0.5
    products = sum(a + b < 3 for a in range(3 if is_scaled else parts) for b in range(parts))
    return {"weight_parts": weight_parts(pipeline), "score_products": products}


def block_panels(panels, all_panels, entries, workers):
    """Panels of a block, as relattn-tile-attention chooses them."""
    ceil_div = lambda a, b: -(-a // b)
    share = ceil_div(entries * all_panels, workers)
    most = lambda size: min(min(size, all_panels) * ceil_div(entries * ceil_div(all_panels, size), workers), share + size - 1)
    while panels > 1 and 16 * most(panels) > 17 * share:
        panels //= 2
    return panels


def tile_classes(case, pipeline=""):
    """Counts of CLASSES and SPLIT; none where d or e is dynamic or a size 0."""
    size = sizes_of(case)
    counts = Counter()
    if {"d", "e"} & set(case.dynamic) or 0 in size.values():
        return counts
    if "relattn-to-gpu" in pipeline:
        lanes, keys = gpu_sizes(case, size, pipeline)
        counts["second block of queries"] += size["m"] > lanes
        count_tiles(case, size, lanes, keys, counts)
        return counts
    option = options(pipeline)
    halves = (case.query.dtype == np.float64) + (size["d"] >= 128)
    lanes = max(1, option["lanes"] // (2 if case.query.dtype == np.float64 else 1))
    keys = max(1, option["keys"] >> halves)
    m, n = size["m"], size["n"]
    entries = np.prod([size.get(d, 1) for d in "bgr"])
    workers, panels = option["workers"], option["panels"]
    is_dynamic = "m" in case.dynamic
    # What the compiler knows.
    parts = -(-workers // np.prod([size.get(d, 1) for d in "bgr" if d not in case.dynamic]))
    are_rows = m <= option["rows"] and (not is_dynamic or "dynamic-rows" in pipeline)
    if not are_rows and weight_parts(pipeline) and are_pairs(case):
        counts[PAIRS[0]] += 1
        counts[PAIRS[1]] += m > PAIR_SIZES[0] * PAIR_SIZES[1]
        counts[PAIRS[2]] += n > PAIR_SIZES[2]
        lanes, panels, keys = PAIR_SIZES
        keys >>= max(size["d"], size["e"]) >= 128
    if are_rows:
        counts["rows"] += not is_dynamic
        counts[DYNAMIC_ROWS] += is_dynamic
        lanes, keys, panels = 1, option["row-keys"], m
        counts[SPLIT[0]] += workers > entries and not is_dynamic and n > keys
    else:
        while not is_dynamic and lanes > MIN_LANES and m <= lanes // 2:
            lanes //= 2
        all_panels = -(-m // lanes)
        if not is_dynamic and all_panels <= panels:
            panels = all_panels
            if "n" not in case.dynamic:
                parts = min(parts, -(-n // keys))
            if parts > panels and workers > entries and n > keys:
                counts[SPLIT[1]] += 1
                workers = 1
        fewer = block_panels(panels, all_panels, entries, workers)
        counts[SPLIT[2]] += fewer < min(panels, all_panels)
        panels = fewer
    counts["second block of queries"] += m > lanes * panels
    counts[HALF] += not are_rows and lanes // 2 >= MIN_LANES and 0 < m % lanes <= lanes // 2
    if not are_rows and (is_dynamic or m > lanes * panels):
        is_narrow = case.query.dtype.itemsize < 4
        counts["keys and values copied"] += is_narrow or any(not dims.endswith(("nd", "ne")) for dims in case.maps[1:3])
    buckets = getattr(case.scheme, "num_buckets", None)
    if buckets is not None:
        is_many = max(buckets, len(getattr(case.scheme, "ids", ()))) > MAX_RUNS
        counts["strips of many buckets" if is_many else "strips in runs"] += 1
    count_tiles(case, size, lanes, keys, counts)
    return counts


def has_matrix_units(pipeline):
    """Whether relattn-to-gpu's target has the instructions of the mma schedule."""
    target, chip = (re.search(rf"\b{name}=(\w+)", pipeline) for name in ("target", "chip"))
    if target and target[1] != "nvvm":
        return False
    return not chip or int(re.search(r"\d+", chip[1])[0]) >= 80


def gpu_sizes(case, size, pipeline):
    """Queries and keys of a workgroup's tile, as relattn-tile-attention chooses them."""

    def option(name, default):
        found = re.search(rf"\b(?<![-\w]){name}=(\d+)", pipeline)
        return int(found[1]) if found else default

    rows, keys = 16 * option("warps", 4) * option("row-tiles", 2), option("keys", 64)
    columns = max(size["d"], size["e"])
    if has_matrix_units(pipeline) and case.on_matrix_units():
        return rows, max(keys // 2, min(keys, 16)) if columns > 64 else keys
    is_double = case.query.dtype == np.float64
    rows = min(rows, 32 if columns > 128 or is_double else 64)
    keys = min(keys, max(32 >> ((columns > 64) + (columns > 128) + is_double), 8))
    itemsize = case.query.dtype.itemsize

    def shared_bytes():
        row = lambda columns, width: (columns * width + 15) // 16 * 16 + 16
        padded = lambda columns: row((columns + 7) // 8 * 8, itemsize)
        return (rows * (row(size["d"], itemsize) + row(keys, max(itemsize, 4)))
                + keys * (padded(size["d"]) + padded(size["e"])))

    while "target=spirv" in pipeline and shared_bytes() > 32 * 1024:
        if keys > 8 or rows <= 8:
            keys //= 2
        else:
            rows //= 2
    return rows, keys


def count_tiles(case, size, lanes, keys, counts):
    """The tiles of `lanes` queries and `keys` keys."""
    m, n = size["m"], size["n"]
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
                is_one = bool((buckets == buckets.flat[0]).all())
                counts["tiles inside one interval"] += is_one
                counts["tiles across intervals"] += not is_one
                ends = case.scheme.bucket(np.array([-10**6, 10**6]))
                for bucket, which in zip(ends, ("first", "last")):
                    counts[f"tiles of the {which} interval"] += is_one and j.size == keys and bool(buckets.flat[0] == bucket)
