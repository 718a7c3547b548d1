#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times a decode step: few queries meet all keys of a cache.

What limits it is reading keys and values once, so the yardstick is a plain read
of the same bytes, each implementation and the read turn about in one process:

    bench_decode.py [--queries 1] [--threads 1 2] [--rounds 15] [--only NAME] [--json FILE]
"""

import ctypes
import json
import statistics
import time
from pathlib import Path

import numpy as np

import relattn
from bench_attention import SCHEME, aligned, instruction_set, parse_arguments, yardstick
from relattn.jit import Module

#: (heads, N, D)
CASES = [(12, 512, 64), (12, 2048, 64), (12, 8192, 64)]
TINY = [(2, 64, 64)]


def kernel(heads, queries, depth, threads):
    """A compiled attention of the last queries over [1, H, ?, D]."""
    few, many = f"1x{heads}x{queries}x{depth}xf32", f"1x{heads}x?x{depth}xf32"
    to_tensor = lambda name, kind: f"%{name} = bufferization.to_tensor %{name}_m restrict : memref<{kind}> to tensor<{kind}>\n"
    text = (
        f"func.func @f(%q_m: memref<{few}>, %k_m: memref<{many}>, %v_m: memref<{many}>, %t_m: memref<32x{heads}xf32>, "
        f"%offset: index, %o_m: memref<{few}>) attributes {{llvm.emit_c_interface}} {{\n"
        + to_tensor("q", few) + to_tensor("k", many) + to_tensor("v", many) + to_tensor("t", f"32x{heads}xf32")
        + f"%o = bufferization.to_tensor %o_m restrict writable : memref<{few}> to tensor<{few}>\n"
        f"%r = relattn.attention ins(%q, %k, %v : tensor<{few}>, tensor<{many}>, tensor<{many}>) "
        f"bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x{heads}xf32>) "
        f"query_offset(%offset : index) outs(%o : tensor<{few}>)\n"
        f"bufferization.materialize_in_destination %r in restrict writable %o_m : (tensor<{few}>, memref<{few}>) -> ()\nreturn\n}}\n")
    return Module(text, (f"--relattn-to-cpu=threads={'openmp' if threads > 1 else 'none'}",), optimize="-O3")


def describe(case, queries):
    heads, keys, depth = case
    return f"H{heads} M={queries} N={keys} D{depth}"


def run_case(library, case, queries, threads, rounds, torch):
    heads, keys, depth = case
    rng = np.random.default_rng(0)
    q, out = (aligned((1, heads, queries, depth)) for _ in range(2))
    # Keys and values side by side: one read.
    cache = aligned((2, 1, heads, keys, depth))
    k, v = cache
    for array in (q, cache):
        array[:] = rng.standard_normal(array.shape, np.float32)
    q *= depth ** -0.5
    table = rng.standard_normal((32, heads)).astype(np.float32)
    offset = keys - queries
    impls = {"relattn T5": kernel(heads, queries, depth, threads).bind("f", q, k, v, table, offset, out)}
    if torch:
        torch.set_num_threads(threads)
        offsets = np.arange(keys)[None, :] - (np.arange(queries)[:, None] + offset)
        dense = torch.from_numpy(np.ascontiguousarray(table[SCHEME.bucket(offsets)].transpose(2, 0, 1)[None]))
        tq, tk, tv = (torch.from_numpy(x) for x in (q, k, v))
        sdpa = torch.nn.functional.scaled_dot_product_attention
        impls["PyTorch SDPA, dense bias"] = lambda: sdpa(tq, tk, tv, attn_mask=dense, scale=1.0)
        # Reads as often as it multiplies: two batched products and a softmax.
        impls["PyTorch matmul, dense bias"] = lambda: torch.softmax(torch.baddbmm(dense[0], tq[0], tk[0].mT), -1) @ tv[0]
    pointer = cache.ctypes.data_as(ctypes.c_void_p)
    library.relattn_read.restype = ctypes.c_float
    impls["plain read"] = lambda: library.relattn_read(pointer, ctypes.c_int64(cache.size), ctypes.c_int(threads))
    exact = relattn.attention(*(x.astype(np.float64) for x in (q, k, v)), scheme=SCHEME, bias=table.astype(np.float64),
                              query_offset=offset).output
    for name, run in impls.items():
        result = run()
        if name == "plain read":
            continue
        result = (result.numpy() if name.startswith("PyTorch") else out).reshape(exact.shape)
        error = np.abs(result - exact).max()
        if error > 1e-4:
            raise SystemExit(f"{name} is wrong on {case}: error {error}")
    # Enough calls for the clock.
    start = time.perf_counter()
    impls["plain read"]()
    calls = max(1, int(0.003 / max(time.perf_counter() - start, 1e-6)))
    times = {name: [] for name in impls}
    order = list(impls.items())
    for _ in range(rounds):
        order.append(order.pop(0))
        for name, run in order:
            # Threads of another run-time library wait busily for a while.
            library.relattn_peak(threads, 0.015)
            start = time.perf_counter()
            for _ in range(calls):
                run()
            times[name].append((time.perf_counter() - start) / calls)
    read = statistics.median(times["plain read"])
    rows = []
    for name, samples in times.items():
        median = statistics.median(samples)
        rows.append({"impl": name, "case": describe(case, queries), "isa": instruction_set(), "threads": threads,
                     "median_us": round(1e6 * median, 1), "spread": round((max(samples) - min(samples)) / median, 3),
                     "fraction_of_read": round(read / median, 3), "gigabytes_per_second": round(cache.nbytes / median / 1e9, 1)})
    return rows


def main():
    args, torch = parse_arguments(__doc__.split("\n")[0], [("--queries", int, 1)])
    library = yardstick()
    lines = []
    print("| case | threads | implementation | median us | GB/s | of a plain read |\n|---|---|---|---|---|---|")
    for threads in args.threads:
        for case in TINY if args.tiny else CASES:
            if args.only not in describe(case, args.queries):
                continue
            for row in run_case(library, case, args.queries, threads, args.rounds, torch):
                lines.append(row)
                print(f"| {row['case']} | {threads} | {row['impl']} | {row['median_us']:.1f} | {row['gigabytes_per_second']:.1f} "
                      f"| {row['fraction_of_read']:.2f} |", flush=True)
    if args.json:
        Path(args.json).write_text("".join(json.dumps(row) + "\n" for row in lines))


if __name__ == "__main__":
    main()
