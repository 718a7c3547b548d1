# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles kernels and conformance cases into a folder, with what lists them.

    python -m relattn_gpu_bench.build --out build/gpu --chip sm_90a
"""

import argparse
import json
import shutil
from pathlib import Path

from relattn.jit import build_library, find_library
from relattn.testing.generator import Generator

#: Name -> options of relattn-to-gpu, for each depth.
SCHEDULES = {
    64: {"default": "", "4x1x64": "row-tiles=1", "4x2x32": "keys=32", "8x2x32": "warps=8 keys=32"},
    128: {"default": "", "4x1x64": "row-tiles=1 keys=128", "4x2x64": "keys=128", "8x2x32": "warps=8"},
}


#: Lengths of kernels that know theirs, and depths of those by multiply-adds.
STATIC_LENGTHS = (4096, 16384)
F32_DEPTHS = (64, 128, 256)


def attention(depth, bias, causal, dtype="bf16", length="?"):
    """@attention(q, k, v, table, out), [B, H, S, D]."""
    kind = f"?x?x{length}x{depth}x{dtype}"
    tensor = lambda name, shape, more="": (
        f"%{name} = bufferization.to_tensor %{name}_buffer restrict{more} : memref<{shape}> to tensor<{shape}>\n")
    scheme = (f"bias(#relattn.t5<buckets = 32, max_distance = 128{'' if causal else ', bidirectional'}>, "
              "%t : tensor<32x?xf32>) " if bias else "")
    return (
        f"func.func @attention(%q_buffer: memref<{kind}>, %k_buffer: memref<{kind}>, %v_buffer: memref<{kind}>, "
        f"%t_buffer: memref<32x?xf32>, %o_buffer: memref<{kind}>) attributes {{llvm.emit_c_interface}} {{\n"
        + tensor("q", kind) + tensor("k", kind) + tensor("v", kind) + tensor("t", "32x?xf32")
        + tensor("o", kind, " writable")
        + f"%r = relattn.attention {'causal ' if causal else ''}ins(%q, %k, %v : tensor<{kind}>, tensor<{kind}>, "
        f"tensor<{kind}>) {scheme}outs(%o : tensor<{kind}>)\n"
        f"bufferization.materialize_in_destination %r in restrict writable %o_buffer : (tensor<{kind}>, "
        f"memref<{kind}>) -> ()\nreturn\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="build/gpu", type=Path)
    parser.add_argument("--chip", default="sm_90a")
    parser.add_argument("--format", default="binary", help="binary needs ptxas; isa leaves that to the driver")
    parser.add_argument("--cases", type=int, default=200, help="conformance cases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schedules", nargs="*",
                        help="only these, beside the default; static: of one length, f32: by multiply-adds")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    runtime = find_library("relattn_cuda_runtime")
    shutil.copy(runtime, out)
    pipeline = lambda options: [f"--relattn-to-gpu=chip={arguments.chip} format={arguments.format} {options}"]
    build = lambda text, name, options: build_library(
        text, out / f"{name}.so", pipeline(options), libraries=["-Wl,-rpath,$ORIGIN", runtime], cpu="x86-64-v2")
    kernels, modules = [], []

    def add_kernel(depth, name, bias, causal, options="", dtype="bf16", length="?"):
        file = f"attention-{depth}-{name.replace(' ', '-')}-{'t5' if bias else 'none'}{'-causal' if causal else ''}"
        build(attention(depth, bias, causal, dtype, length), file, options)
        kernels.append({"file": f"{file}.so", "depth": depth, "schedule": name, "bias": bias, "causal": causal, "dtype": dtype,
                        "length": None if length == "?" else length})
        print(file, flush=True)

    is_chosen = lambda name: arguments.schedules is None or name in ["default", *arguments.schedules]
    for depth, schedules in SCHEDULES.items():
        for name, options in schedules.items():
            if not is_chosen(name):
                continue
            for bias in (True, False):
                for causal in (False, True):
                    add_kernel(depth, name, bias, causal, options)
        for length in STATIC_LENGTHS if is_chosen("static") else ():
            for bias in (True, False):
                for causal in (False, True):
                    add_kernel(depth, f"static {length}", bias, causal, length=length)
    for depth in F32_DEPTHS if is_chosen("f32") else ():
        for bias in (True, False):
            add_kernel(depth, "f32", bias, False, dtype="f32")
    for start in range(0, arguments.cases, 50):
        seed, count = arguments.seed * 1000 + start, min(50, arguments.cases - start)
        generator = Generator(seed, for_gpu=True)
        cases = [generator.next() for _ in range(count)]
        text = "".join(case.function(f"case_{i}", case.expected()) for i, case in enumerate(cases))
        build(text, f"cases-{seed}", "")
        modules.append({"file": f"cases-{seed}.so", "seed": seed, "count": count})
        print(f"cases-{seed}", flush=True)
    with open(out / "manifest.json", "w") as file:
        json.dump({"chip": arguments.chip, "kernels": kernels, "modules": modules}, file, indent=1)


if __name__ == "__main__":
    main()
