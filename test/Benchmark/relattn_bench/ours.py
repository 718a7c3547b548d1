# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn, the hand-written kernel, and what the machine can do."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from relattn.jit import Module, llvm_directory
from relattn_bench.case import SCHEME, aligned

#: More fixed queries than this are a dynamic M: kernels serve every length.
FEW_QUERIES = 8


def clang(target, *arguments):
    command = [f"{llvm_directory('bindir')}/clang++", f"-march={target}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@functools.cache
def predefined_macros(target):
    return clang(target, "-dM", "-E", "-x", "c", "/dev/null")


def has_matrix_unit(target):
    """Intel's AMX, of bf16, if Linux gives it: arch_prctl(ARCH_REQ_XCOMP_PERM, 18)."""
    return "__AMX_BF16__" in predefined_macros(target) and ctypes.CDLL(None).syscall(158, 0x1023, 18) == 0


def instruction_set(target):
    """Of a processor, by the macros of clang."""
    macros = predefined_macros(target)
    return next((name for macro, name in (("__AVX512F__", "AVX-512"), ("__AVX2__", "AVX2"), ("__SSE2__", "SSE2"),
                                          ("__ARM_NEON", "NEON")) if macro in macros), "scalar")


@functools.cache
def build_yardstick(target):
    """yardstick.cpp: the kernel, the FMA peak and a plain read."""
    library = f"{tempfile.mkdtemp(prefix='relattn-')}/yardstick.so"
    libdir = llvm_directory("libdir")
    clang(target, "-O3", "-ffp-contract=fast", "-fopenmp", "-shared", "-fPIC",
          str(Path(__file__).parents[1] / "yardstick.cpp"), "-o", library, f"-L{libdir}", f"-Wl,-rpath,{libdir}")
    loaded = ctypes.CDLL(library)
    loaded.relattn_peak.restype = ctypes.c_double
    loaded.relattn_peak.argtypes = [ctypes.c_int, ctypes.c_double]
    loaded.relattn_read.restype = ctypes.c_float
    return loaded


def peak(threads, target):
    """FMA operations of a nanosecond."""
    return build_yardstick(target).relattn_peak(threads, 0.015)


def build_kernel(case, threads, target, bias, dynamic_rows=False, matrix_unit="none"):
    """@f(q, k, v, table, query_offset, out)."""
    def shape(length):
        length = length if length <= FEW_QUERIES and not dynamic_rows else "?"
        dims = (1, case.heads, length, case.depth) if case.layout == "BHSD" else (1, length, case.heads, case.depth)
        return "x".join(map(str, dims)) + "xf32"

    few, many, table = shape(case.queries), shape(case.keys), f"32x{case.heads}xf32"
    tensor = lambda name, kind, more="": f"%{name} = bufferization.to_tensor %{name}_m restrict{more} : memref<{kind}> to tensor<{kind}>\n"
    dims = "b, {0}, g, {1}" if case.layout == "BSHD" else "b, g, {0}, {1}"
    maps = ", ".join(f"({dims.format(*pair)})" for pair in ("md", "nd", "ne")) + f" -> ({dims.format('m', 'e')})"
    scheme = "bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, " f"%t : tensor<{table}>) " if bias else ""
    text = (
        f"func.func @f(%q_m: memref<{few}>, %k_m: memref<{many}>, %v_m: memref<{many}>, %t_m: memref<{table}>, %offset: index, "
        f"%o_m: memref<{few}>) attributes {{llvm.emit_c_interface}} {{\n"
        + tensor("q", few) + tensor("k", many) + tensor("v", many) + tensor("t", table) + tensor("o", few, " writable")
        + f"%r = relattn.attention {'causal ' * case.causal}maps({maps}) ins(%q, %k, %v : tensor<{few}>, tensor<{many}>, tensor<{many}>) "
        + scheme + (f"query_offset(%offset : index) " if case.query_offset else "") + f"outs(%o : tensor<{few}>)\n"
        f"bufferization.materialize_in_destination %r in restrict writable %o_m : (tensor<{few}>, memref<{few}>) -> ()\nreturn\n}}\n")
    options = [f"threads={'openmp' if threads > 1 else 'none'}", f"target-cpu={target}"]
    options += ["dynamic-rows"] * dynamic_rows + [f"matrix-unit={matrix_unit}"] * (matrix_unit != "none")
    return Module(text, (f"--relattn-to-cpu={' '.join(options)}",))


def in_layout(case, array):
    """[1, H, S, D] as the case has it."""
    if case.layout == "BHSD":
        return array
    moved = aligned((1, array.shape[2], case.heads, case.depth))
    moved[:] = array.transpose(0, 2, 1, 3)
    return moved


def implementations(case, inputs, threads, target):
    q, k, v, table = inputs
    library = functools.partial(build_yardstick, target)
    pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)

    def make_kernel(bias, **options):
        out = in_layout(case, np.zeros_like(q))
        arrays = [in_layout(case, x) for x in (q, k, v)]
        run = build_kernel(case, threads, target, bias, **options).bind("f", *arrays, table, case.query_offset, out)
        output = (lambda _: out) if case.layout == "BHSD" else (lambda _: out.transpose(0, 2, 1, 3))
        return run, output if bias else None

    def make_yardstick():
        out = aligned(q.shape)
        strip = np.full((case.heads, 2 * case.keys + 64), -np.inf if case.causal else 0.0, np.float32)
        offsets = np.arange(case.keys - 1, -case.keys, -1)
        strip[:, :2 * case.keys - 1] = table[SCHEME.bucket(offsets)].T
        if case.causal:
            strip[:, :2 * case.keys - 1][:, offsets > 0] = -np.inf
        size, kernel = ctypes.c_int64, library().relattn_yardstick

        def run():
            kernel(pointer(q), pointer(k), pointer(v), pointer(strip), pointer(out), size(case.heads), size(case.queries),
                                      size(case.keys), size(case.depth), size(strip.shape[1]), ctypes.c_int(case.causal), ctypes.c_int(threads))

        return run, lambda _: out

    def make_read():
        elements, read = k.size + v.size, library().relattn_read
        return lambda: read(pointer(k), ctypes.c_int64(elements), ctypes.c_int(threads)), None

    yield "relattn T5", lambda: make_kernel(True)
    yield "relattn no bias", lambda: make_kernel(False)
    if case.is_decode:
        yield "relattn T5, dynamic M", lambda: make_kernel(True, dynamic_rows=True)
        yield "plain read", make_read
    elif has_matrix_unit(target):
        yield "relattn T5, AMX highest", lambda: make_kernel(True, matrix_unit="highest")
        yield "relattn T5, AMX high", lambda: make_kernel(True, matrix_unit="high")
    if not case.is_decode and case.depth in (64, 128) and case.layout == "BHSD" and case.queries == case.keys:
        yield "yardstick", make_yardstick
