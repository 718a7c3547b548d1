# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random attention problems, compiled, executed, compared with the oracle.

    python -m relattn.testing.random_attention --cases 200 --seed 1

Prints how often each option was drawn, the worst error over its tolerance per
dtype, and `N passed, M failed`. Exits with 1 if a case failed or an option was
never drawn.
"""

import argparse
import os
import shlex
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from relattn.jit import Module, find_library
from relattn.testing import tile_classes
from relattn.testing.generator import Generator

EXPECTED_TAGS = [
    "dtype float16", "dtype bfloat16", "dtype float32", "dtype float64",
    "layout md", "layout gmd", "layout bhsd", "layout bshd", "layout grouped", "layout permuted",
    "bias none", "bias t5 both", "bias t5 one-sided", "bias textbook", "bias clip",
    "bias per offset", "bias steps", "bias many steps", "bias alibi", "bias strip", "bias short strip", "bias dense",
    "table shared by heads",
    "band none", "band causal", "band window", "band lower", "band random", "band empty",
    "mask none", "mask bool", "mask additive", "mask additive -inf",
    "query_offset none", "query_offset constant", "query_offset index", "query_offset per batch",
    "key_lengths none", "key_lengths given", "sizes dynamic", "sizes static", "lse", "no lse",
    "scale 1", "scaled", "output as inputs", "output as accumulator",
    "values normal", "values rising", "values large", "values tiny", "values positive values",
    "values one query NaN",
    "a size of 0", "longer than saturation", "a query sees nothing",
]


#: Not drawn for a GPU.
NOT_ON_GPU = {"a size of 0"}


def is_for_gpu(pipeline):
    return "relattn-to-gpu" in " ".join(pipeline)


def gpu_library(pipeline):
    """The run-time library of a pipeline's host code, if it is for a GPU."""
    flags = " ".join(pipeline)
    if not is_for_gpu(pipeline):
        return []
    name = "relattn_nvptx_emulator"
    if "target=spirv" in flags:
        name = "relattn_vulkan_runtime" if "chip=vulkan" in flags else "relattn_opencl_runtime"
    return [find_library(name)]


def run_module(seed, count, pipeline, keep, limits):
    """`count` cases in one module and process; returns what to report."""
    for_gpu = is_for_gpu(pipeline)
    has_matrix_units = for_gpu and tile_classes.has_matrix_units(" ".join(pipeline))
    weight_parts = tile_classes.weight_parts(" ".join(pipeline))
    generator = Generator(seed, for_gpu=for_gpu, many_queries=weight_parts > 0, **limits)
    cases = [generator.next() for _ in range(count)]
    results = [case.expected() for case in cases]
    text = "".join(
        case.function(f"case_{i}", result)
        for i, (case, result) in enumerate(zip(cases, results))
    )
    if keep:
        os.makedirs(keep, exist_ok=True)
        with open(f"{keep}/seed-{seed}.mlir", "w") as file:
            file.write(text)
    module = Module(text, pipeline, optimize="-O1", libraries=gpu_library(pipeline))
    tags, worst, failures = Counter(), {}, []
    for i, (case, result) in enumerate(zip(cases, results)):
        tags.update(case.tags)
        tags.update(tile_classes.tile_classes(case, " ".join(pipeline)))
        if for_gpu:
            tags["schedule mma" if has_matrix_units and case.on_matrix_units() else "schedule simt"] += 1
        tags["a query sees nothing"] += bool((result.lse == float("-inf")).any())
        outputs = case.run(module, f"case_{i}", result)
        ratio, message = case.check(outputs, result, rounds_weights=has_matrix_units and case.on_matrix_units(),
                                    **tile_classes.pair_roundings(case, " ".join(pipeline)))
        dtype = case.query.dtype.name
        worst[dtype] = max(worst.get(dtype, 0.0), ratio)
        if message:
            failures.append(f"seed {seed} case_{i}: {message}\n    {', '.join(case.tags)}")
    return tags, worst, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-module", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--pipeline", default="relattn-to-cpu", help="flags of relattn-opt, without the dashes"
    )
    parser.add_argument("--few", action="store_true", help="too few cases to draw every option")
    parser.add_argument("--keep", help="folder for the generated modules")
    parser.add_argument("--dtypes", help="draw these alone, with commas")
    parser.add_argument("--max-depth", type=int, help="the largest d and e")
    args = parser.parse_args()
    limits = {"dtypes": args.dtypes and args.dtypes.split(","), "max_depth": args.max_depth}

    start = time.time()
    tags, worst, failures = Counter(), {}, []
    chunks = []
    while sum(c for _, c in chunks) < args.cases:
        left = args.cases - sum(c for _, c in chunks)
        chunks.append((args.seed * 1_000_000 + len(chunks), min(args.per_module, left)))
    pipeline = [f"--{flag}" for flag in shlex.split(args.pipeline)]
    with ProcessPoolExecutor(args.jobs) as pool:
        jobs = [
            pool.submit(run_module, seed, count, pipeline, args.keep, limits)
            for seed, count in chunks
        ]
        for job in jobs:
            new_tags, new_worst, new_failures = job.result()
            tags += new_tags
            for dtype, ratio in new_worst.items():
                worst[dtype] = max(worst.get(dtype, 0.0), ratio)
            failures += new_failures

    expected = [tag for tag in EXPECTED_TAGS if not (is_for_gpu(pipeline) and tag in NOT_ON_GPU)]
    expected += tile_classes.expected(args.pipeline)
    if is_for_gpu(pipeline):
        expected += ["schedule simt", "a bucket hidden"]
        expected += ["schedule mma"] if tile_classes.has_matrix_units(args.pipeline) else []
    print("drawn:")
    for tag in expected:
        print(f"  {tags[tag]:6d} {tag}")
    print("worst error / tolerance:")
    for dtype, ratio in sorted(worst.items()):
        print(f"  {ratio:6.3f} {dtype}")
    for failure in failures:
        print(failure)
    missing = [tag for tag in expected if not tags[tag] and not args.few]
    if missing:
        print("never drawn:", ", ".join(missing))
    print(f"{args.cases - len(failures)} passed, {len(failures)} failed")
    print(f"in {time.time() - start:.0f} s", file=sys.stderr)
    return bool(failures or missing)


if __name__ == "__main__":
    sys.exit(main())
