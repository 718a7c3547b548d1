#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time of matmuls with bias and scale before and after the two rewrites.

    PYTHONPATH=python build/venv/bin/python test/Benchmark/bench_rewrites.py

Both programs of a case are compiled with the same stock passes of MLIR, once to
plain loops and once tiled and vectorised by a transform script, and run turn
about in one process on one thread; the table gives medians and their ratio.
Then the time of the rewrites themselves over the size of a module.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from relattn.jit import Module, find_tool

#: (name, batch, M, N, K, bias, scale)
CASES = [
    ("scores, dense bias", 8, 512, 512, 64, "full", None),
    ("scores, dense bias, scaled", 8, 512, 512, 64, "full", 0.125),
    ("scores, bias of each key", 8, 512, 512, 64, "row", None),
    ("scores, scaled", 8, 512, 512, 64, None, 0.125),
    ("decode, dense bias, scaled", 8, 1, 4096, 64, "full", 0.125),
    ("linear layer", 1, 512, 2048, 512, "row", None),
    ("residual", 1, 512, 512, 2048, "full", None),
    ("small", 1, 64, 64, 64, "full", None),
    ("small, scaled", 1, 64, 128, 64, "full", 0.5),
]
REWRITES = ["--relattn-remove-scaling", "--relattn-fold-bias-into-scores"]
TILE = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op) {
    %products = transform.structured.match ops{["linalg.batch_matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %p, %pl:4 = transform.structured.tile_using_for %products tile_sizes [1, ROWS, 32, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %passes = transform.structured.match ops{["linalg.generic", "linalg.fill"]} in %root : (!transform.any_op) -> !transform.any_op
    %g, %gl:3 = transform.structured.tile_using_for %passes tile_sizes [1, 1, 32]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %func = transform.structured.match ops{["func.func"]} in %root : (!transform.any_op) -> !transform.any_op
    %vector = transform.structured.vectorize_children_and_apply_patterns %func : (!transform.any_op) -> !transform.any_op
    transform.apply_patterns to %vector {
      transform.apply_patterns.vector.reduction_to_contract
      transform.apply_patterns.vector.lower_contraction lowering_strategy = outerproduct
      transform.apply_patterns.vector.lower_outerproduct
      transform.apply_patterns.vector.lower_transpose
      transform.apply_patterns.vector.drop_unit_dims_with_shape_cast
    } : !transform.any_op
    transform.yield
  }
}
"""
LOWER = ("eliminate-empty-tensors,one-shot-bufferize{bufferize-function-boundaries=1 "
         "function-boundary-type-conversion=identity-layout-map},canonicalize,"
         "buffer-deallocation-pipeline,convert-bufferization-to-memref,"
         "func.func(convert-linalg-to-loops),canonicalize,cse,loop-invariant-code-motion,"
         "convert-vector-to-scf{full-unroll=true},"
         "expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,"
         "finalize-memref-to-llvm,convert-to-llvm,reconcile-unrealized-casts")


def program(batch, m, n, k, bias, scale):
    q, key, out = f"{batch}x{m}x{k}xf32", f"{batch}x{k}x{n}xf32", f"{batch}x{m}x{n}xf32"
    bias_shape = {"full": out, "row": f"{n}xf32", None: f"{n}xf32"}[bias]
    lines = [f"%{x} = bufferization.to_tensor %{x}b restrict : memref<{s}> to tensor<{s}>"
             for x, s in (("q", q), ("k", key), ("b", bias_shape))]
    lines += ["%zero = arith.constant 0.0 : f32", f"%e = tensor.empty() : tensor<{out}>",
              f"%z = linalg.fill ins(%zero : f32) outs(%e : tensor<{out}>) -> tensor<{out}>",
              f"%s0 = linalg.batch_matmul ins(%q, %k : tensor<{q}>, tensor<{key}>) "
              f"outs(%z : tensor<{out}>) -> tensor<{out}>"]
    current, identity = "%s0", "affine_map<(b, m, n) -> (b, m, n)>"
    row = "affine_map<(b, m, n) -> (n)>"
    def generic(name, ins, types, maps, body):
        return (f"%{name} = linalg.generic {{indexing_maps = [{', '.join([*maps, identity])}], iterator_types = "
                f'["parallel", "parallel", "parallel"]}} ins({", ".join(ins)} : {", ".join(types)}) '
                f"outs(%e : tensor<{out}>) {{\n^bb0({', '.join(f'%i{i}: f32' for i in range(len(ins)))}, %o: f32):\n"
                f"{body}\nlinalg.yield %y : f32\n}} -> tensor<{out}>")
    if scale:
        lines += [f"%c = arith.constant {scale} : f32",
                  generic("s1", [current], [f"tensor<{out}>"], [identity], "%y = arith.mulf %i0, %c : f32")]
        current = "%s1"
    if bias:
        lines.append(generic("s2", [current, "%b"], [f"tensor<{out}>", f"tensor<{bias_shape}>"],
                             [identity, identity if bias == "full" else row], "%y = arith.addf %i0, %i1 : f32"))
        current = "%s2"
    lines.append(f"bufferization.materialize_in_destination {current} in restrict writable %ob : "
                 f"(tensor<{out}>, memref<{out}>) -> ()")
    body = "\n  ".join(lines)
    return (f"func.func @f(%qb: memref<{q}>, %kb: memref<{key}>, %bb: memref<{bias_shape}>, %ob: memref<{out}>) "
            f"attributes {{llvm.emit_c_interface}} {{\n  {body}\n  return\n}}\n")


def compile_pair(text, tiled, m, directory):
    modules = []
    for rewrites in ([], REWRITES):
        source = subprocess.run([find_tool("relattn-opt"), *rewrites], input=text, text=True, capture_output=True,
                                check=True).stdout
        pipeline = LOWER
        if tiled:
            library = Path(directory) / "tile.mlir"
            library.write_text(TILE.replace("ROWS", str(min(8, m))))
            pipeline = (f"transform-preload-library{{transform-library-paths={library}}},"
                        f"transform-interpreter,canonicalize,cse,{LOWER}")
        modules.append(Module(source, (f"--pass-pipeline=builtin.module({pipeline})",), optimize="-O3"))
    return modules


def aligned(array):
    """A copy on a cache line, as MLIR's own buffers are."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def measure(pair, arrays, seconds):
    """Median milliseconds of each module, run turn about."""
    def once(module, count):
        start = time.perf_counter()
        for _ in range(count):
            module.call("f", *arrays)
        return (time.perf_counter() - start) / count * 1e3
    count = max(1, int(seconds / 30 / (once(pair[0], 1) / 1e3 + 1e-6)))
    times = [[], []]
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or len(times[0]) < 5:
        for samples, module in zip(times, pair):
            samples.append(once(module, count))
    return [statistics.median(samples) for samples in times]


def isa():
    flags = open("/proc/cpuinfo").read()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "128-bit"


def growth(file):
    """Milliseconds of both rewrites over the number of functions."""
    text = program(8, 512, 512, 64, "full", 0.125)
    print(f"\n{'functions':>10} {'rewrites, ms':>13} {'per function, us':>17}", file=file)
    for count in (100, 400, 1600, 6400):
        module = "".join(text.replace("@f(", f"@f{i}(") for i in range(count))
        report = subprocess.run([find_tool("relattn-opt"), *REWRITES, "-o", "/dev/null", "--mlir-timing",
                                 "--mlir-timing-display=list", "--mlir-disable-threading"], input=module,
                                text=True, capture_output=True, check=True).stderr
        seconds = sum(float(line.split()[0]) for line in report.splitlines()
                      if "FoldBiasIntoScores" in line or "RemoveScaling" in line)
        print(f"{count:>10} {seconds * 1e3:>13.1f} {seconds / count * 1e6:>17.1f}", file=file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case and compilation")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--json", action="store_true", help="one JSON line for each figure")
    args = parser.parse_args()
    if not args.json:
        print(f"{isa()}, 1 thread, medians in ms\n{'case':<28} {'passes':<8} {'before':>9} {'after':>9} {'ratio':>6}")
    for name, batch, m, n, k, bias, scale in CASES:
        if args.case not in name:
            continue
        rng = np.random.default_rng(0)
        draw = lambda *shape: aligned(rng.standard_normal(shape).astype(np.float32))
        arrays = (draw(batch, m, k), draw(batch, k, n), draw(batch, m, n) if bias == "full" else draw(n))
        text = program(batch, m, n, k, bias, scale)
        for passes in ("loops", "vectors"):
            with tempfile.TemporaryDirectory() as directory:
                pair = compile_pair(text, passes == "vectors", m, directory)
            outs = [aligned(np.zeros((batch, m, n), np.float32)) for _ in pair]
            for module, out in zip(pair, outs):
                module.call("f", *arrays, out)
            if not np.allclose(*outs, rtol=1e-4, atol=1e-3):
                raise SystemExit(f"{name}: the results differ")
            before, after = measure(pair, (*arrays, outs[0]), args.seconds)
            if args.json:
                print(json.dumps({"case": name, "passes": passes, "isa": isa(), "threads": 1,
                                  "before_ms": before, "after_ms": after, "ratio": after / before}))
            else:
                print(f"{name:<28} {passes:<8} {before:>9.3f} {after:>9.3f} {after / before:>6.2f}", flush=True)
    growth(sys.stderr if args.json else sys.stdout)


if __name__ == "__main__":
    main()
