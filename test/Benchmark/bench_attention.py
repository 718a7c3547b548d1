#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention with T5 bias on the CPU against the machine's peak and its peers.

    PYTHONPATH=python build/venv/bin/python test/Benchmark/bench_attention.py --json results.jsonl

In each round every implementation of a case runs for a millisecond or more, in
one process and in turning order, before each the FMA peak and one call that is not
timed: relattn with T5 bias and without, the yardstick (yardstick.cpp), and what
else is installed: PyTorch's scaled_dot_product_attention, with a dense bias that it
is handed for free. Medians over the rounds; fractions are of the peak of the same
rounds, of useful operations (below the diagonal if causal). A case in which a tenth
of the peaks was 10 % below their median says so. --target-cpu=haswell measures, on a
machine with AVX-512, what one without it runs, peak and yardstick included; peers
choose for themselves.

OMP_PROC_BIND=true binds threads, but use it with --no-torch alone: of two OpenMP
run-time libraries in one process the second inherits one core.
"""

import argparse
import ctypes
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import relattn
from relattn.jit import Module, llvm_directory

#: (heads, M = N, D, causal)
CASES = [
    (12, 2048, 64, False), (16, 4096, 64, False), (8, 512, 64, False), (8, 1024, 128, False),
    (12, 2048, 64, True), (8, 512, 64, True),
    (8, 2047, 64, False), (8, 1000, 64, False), (8, 500, 64, False), (8, 77, 64, False),
    (8, 1024, 32, False), (8, 1024, 40, False), (8, 1024, 64, False), (8, 1024, 80, False), (8, 1024, 256, False),
]
TINY = [(2, 40, 64, False), (2, 33, 64, True)]
SCHEME = relattn.T5(32, 128, bidirectional=True)


#: Of clang: the level of relattn's own default.
OPTIMIZE = "-O2"


def kernel(heads, depth, causal, bias, threads, target="native", layout="BHSD"):
    """A compiled attention over [1, H, ?, D], or [1, ?, H, D] if `layout` is BSHD."""
    dims = f"1x{heads}x?x{depth}xf32" if layout == "BHSD" else f"1x?x{heads}x{depth}xf32"
    maps = "" if layout == "BHSD" else "maps((b, m, g, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, e)) "
    to_tensor = lambda name, kind: f"%{name} = bufferization.to_tensor %{name}_m restrict : memref<{kind}> to tensor<{kind}>\n"
    text = (
        f"func.func @f(%q_m: memref<{dims}>, %k_m: memref<{dims}>, %v_m: memref<{dims}>, %t_m: memref<32x{heads}xf32>, "
        f"%o_m: memref<{dims}>) attributes {{llvm.emit_c_interface}} {{\n"
        + "".join(to_tensor(name, dims) for name in "qkv") + to_tensor("t", f"32x{heads}xf32")
        + f"%o = bufferization.to_tensor %o_m restrict writable : memref<{dims}> to tensor<{dims}>\n"
        + f"%r = relattn.attention {'causal ' if causal else ''}{maps}ins(%q, %k, %v : tensor<{dims}>, tensor<{dims}>, tensor<{dims}>) "
        + (f"bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x{heads}xf32>) " if bias else "")
        + f"outs(%o : tensor<{dims}>)\nbufferization.materialize_in_destination %r in restrict writable %o_m : "
        f"(tensor<{dims}>, memref<{dims}>) -> ()\nreturn\n}}\n")
    pipeline = f"--relattn-to-cpu=threads={'openmp' if threads > 1 else 'none'} target-cpu={target}"
    return Module(text, (pipeline,), optimize=OPTIMIZE)


def yardstick(target="native"):
    """The library of yardstick.cpp."""
    directory = tempfile.mkdtemp(prefix="relattn-")
    library = f"{directory}/yardstick.so"
    libdir = llvm_directory("libdir")
    subprocess.run(
        [f"{llvm_directory('bindir')}/clang++", "-O3", f"-march={target}", "-ffp-contract=fast", "-fopenmp", "-shared", "-fPIC",
         str(Path(__file__).with_name("yardstick.cpp")), "-o", library, f"-L{libdir}", f"-Wl,-rpath,{libdir}"], check=True)
    loaded = ctypes.CDLL(library)
    loaded.relattn_peak.restype = ctypes.c_double
    loaded.relattn_peak.argtypes = [ctypes.c_int, ctypes.c_double]
    return loaded


def aligned(shape):
    """Zeros on a cache line, as allocators of tensors give them."""
    count = int(np.prod(shape))
    raw = np.zeros(count + 16, np.float32)
    start = (-raw.ctypes.data % 64) // 4
    return raw[start:start + count].reshape(shape)


def instruction_set(target="native"):
    """Of a processor, by the macros of clang."""
    clang = f"{llvm_directory('bindir')}/clang"
    flags = subprocess.check_output([clang, f"-march={target}", "-dM", "-E", "-x", "c", "/dev/null"], text=True).lower()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE2"


def describe(case):
    heads, length, depth, causal = case
    return f"H{heads} M=N={length} D{depth}{' causal' if causal else ''}"


def calls_per_turn(run):
    """How many calls last a millisecond; the first one is not counted."""
    run()
    start = time.perf_counter()
    run()
    return max(1, math.ceil(0.001 / max(time.perf_counter() - start, 1e-6)))


def run_case(library, case, args, threads, torch):
    heads, length, depth, causal = case
    rng = np.random.default_rng(0)
    q, k, v, out = (aligned((1, heads, length, depth)) for _ in range(4))
    for array in (q, k, v):
        array[:] = rng.standard_normal(array.shape)
    q *= depth ** -0.5
    table = rng.standard_normal((32, heads)).astype(np.float32)
    offsets = np.arange(-(length - 1), length)
    by_offset = table[SCHEME.bucket(offsets)]  # [2 N - 1, H]
    impls = {}
    with_bias, without = (kernel(heads, depth, causal, bias, threads, args.target_cpu) for bias in (True, False))
    impls["relattn T5"] = with_bias.bind("f", q, k, v, table, out)
    impls["relattn no bias"] = without.bind("f", q, k, v, table, out)
    if depth in (64, 128):
        strip = np.full((heads, 2 * length + 64), -np.inf if causal else 0.0, np.float32)
        backwards = by_offset[::-1].T.copy()
        if causal:
            backwards[:, offsets[::-1] > 0] = -np.inf
        strip[:, :2 * length - 1] = backwards
        pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_int64
        impls["yardstick"] = lambda: library.relattn_yardstick(
            pointer(q), pointer(k), pointer(v), pointer(strip), pointer(out), size(heads), size(length), size(length),
            size(depth), size(strip.shape[1]), ctypes.c_int(causal), ctypes.c_int(threads))
    if torch:
        torch.set_num_threads(threads)
        dense = torch.from_numpy(np.ascontiguousarray(by_offset[(np.arange(length)[None, :] - np.arange(length)[:, None]) + length - 1]
                                                      .transpose(2, 0, 1))[None])
        if causal:
            dense = dense.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf"))
        tq, tk, tv = (torch.from_numpy(x) for x in (q, k, v))
        impls["PyTorch SDPA, dense bias"] = lambda: torch.nn.functional.scaled_dot_product_attention(tq, tk, tv, attn_mask=dense, scale=1.0)
    # All compute the same.
    from_each = {}
    for name, run in impls.items():
        result = run()
        from_each[name] = (result.numpy() if name.startswith("PyTorch") else out).copy()
    exact = relattn.attention(*(x[:, :1].astype(np.float64) for x in (q, k, v)), scheme=SCHEME,
                              bias=table[:, :1].astype(np.float64), band=(None, 0 if causal else None)).output
    for name, result in from_each.items():
        error = np.abs(result[:, :1] - exact).max() if name != "relattn no bias" else 0.0
        if error > 1e-4:
            raise SystemExit(f"{name} is wrong on {case}: error {error}")
    error = float(np.abs(from_each["relattn T5"][:, :1] - exact).max())
    times, peaks = {name: [] for name in impls}, []
    order = list(impls.items())
    calls = {name: calls_per_turn(run) for name, run in order}
    for _ in range(args.rounds):
        order.append(order.pop(0))
        for name, run in order:
            # The peak before each: threads of another run-time library, which
            # wait busily for a while, are asleep by then, and ours are awake.
            peaks.append(library.relattn_peak(threads, 0.015))
            run()
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            times[name].append((time.perf_counter() - start) / calls[name])
    pairs = length * (length + 1) / 2 if causal else length * length
    peak = statistics.median(peaks)
    base = statistics.median(times["yardstick"]) if "yardstick" in times else None
    rows = []
    for name, samples in times.items():
        median = statistics.median(samples)
        rows.append({
            "impl": name, "case": describe(case), "isa": instruction_set(args.target_cpu),
            "threads": threads, "median_ms": round(1e3 * median, 3),
            "spread": round((max(samples) - min(samples)) / median, 3),
            "fraction_of_peak": round(4 * heads * depth * pairs / median / 1e9 / peak, 3),
            "ratio_to_yardstick": round(median / base, 3) if base else None,
            "peak_gflops": round(peak, 1), "quiet": statistics.quantiles(peaks, n=10)[0] > 0.9 * peak,
            **({"max_abs_error": error} if name == "relattn T5" else {})})
    return rows


def parse_arguments(description, more=()):
    """The arguments of the benchmarks of attention, with others of this one's
    own (name, type, default), and PyTorch or None."""
    parser = argparse.ArgumentParser(description=description)
    for name, kind, default in more:
        parser.add_argument(name, type=kind, default=default)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tiny", action="store_true", help="small shapes, to see that it runs")
    parser.add_argument("--json", help="file for one JSON object per line")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--no-torch", action="store_true")
    args = parser.parse_args()
    os.environ.pop("OPENBLAS_CORETYPE", None)
    if args.no_torch:
        return args, None
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: left out", file=sys.stderr)
        return args, None
    return args, torch


def main():
    args, torch = parse_arguments(__doc__.split("\n")[0], [("--target-cpu", str, "native")])
    library = yardstick(args.target_cpu)
    cases = [c for c in (TINY if args.tiny else CASES) if args.only in describe(c)]
    lines = []
    print("| case | threads | implementation | median ms | of peak | time / yardstick |\n|---|---|---|---|---|---|")
    for threads in args.threads:
        for number, case in enumerate(cases):
            if sys.stderr.isatty():
                print(f"\r{threads} threads: {number} of {len(cases)}", end="\r", file=sys.stderr)
            for row in run_case(library, case, args, threads, torch):
                lines.append(row)
                ratio = "" if row["ratio_to_yardstick"] is None else f"{row['ratio_to_yardstick']:.2f}"
                print(f"| {row['case']} | {threads} | {row['impl']} | {row['median_ms']:.3f} | {row['fraction_of_peak']:.2f} | {ratio} |"
                      + ("" if row["quiet"] else " not quiet |"), flush=True)
    if args.json:
        Path(args.json).write_text("".join(json.dumps(row) + "\n" for row in lines))


if __name__ == "__main__":
    main()
