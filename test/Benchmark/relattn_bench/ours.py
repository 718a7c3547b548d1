# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn, the hand-written kernel, and what the machine can do."""

import ctypes
import functools
import tempfile

import numpy as np

from relattn_bench import prebuilt
from relattn_bench.case import SCHEME, aligned
from relattn_bench.prebuilt import predefined_macros

#: More fixed queries than this are a dynamic M: kernels serve every length.
FEW_QUERIES = 8


def has_matrix_unit(target):
    """Whether a processor has Intel's AMX, of bf16."""
    return "__AMX_BF16__" in predefined_macros(target)


def may_use_matrix_unit():
    """Whether Linux gives it: arch_prctl(ARCH_REQ_XCOMP_PERM, 18)."""
    return ctypes.CDLL(None).syscall(158, 0x1023, 18) == 0


def instruction_set(target):
    """Of a processor, by the macros of clang."""
    macros = predefined_macros(target)
    return next((name for macro, name in (("__AVX512F__", "AVX-512"), ("__AVX2__", "AVX2"), ("__SSE2__", "SSE2"),
                                          ("__ARM_NEON", "NEON")) if macro in macros), "scalar")


@functools.cache
def load_yardstick(target):
    """yardstick.cpp: the kernel, the FMA peak, a plain read and whether cores are ours."""
    if prebuilt.folder():
        library = prebuilt.folder() / f"{target}-yardstick.so"
    else:
        library = f"{tempfile.mkdtemp(prefix='relattn-')}/yardstick.so"
        prebuilt.build_yardstick(target, library)
    loaded = ctypes.CDLL(str(library))
    loaded.relattn_peak.restype = ctypes.c_double
    loaded.relattn_peak.argtypes = [ctypes.c_int, ctypes.c_double]
    loaded.relattn_read.restype = ctypes.c_float
    loaded.relattn_issue_rate.restype = ctypes.c_double
    return loaded


def peak(threads, target):
    """FMA operations of a nanosecond."""
    return load_yardstick(target).relattn_peak(threads, 0.002)


def issue_rate(threads, target):
    """Additions that each core issues in a cycle."""
    return load_yardstick(target).relattn_issue_rate(ctypes.c_int(threads))


def get_kernel(case, threads, target, bias, dynamic_rows=False, matrix_unit="none"):
    """@f(q, k, v, table, query_offset, out), and the flags to compile it with."""
    def shape(length):
        length = length if length <= FEW_QUERIES and not dynamic_rows else "?"
        dims = (1, case.heads, length, case.depth) if case.layout == "BHSD" else (1, length, case.heads, case.depth)
        return "x".join(map(str, dims)) + f"x{case.kind}"

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
    return text, (f"--relattn-to-cpu={' '.join(options)}",)


def variants(case, target):
    """Kernels by name, each with what it has beside the case."""
    yield "relattn T5", {"bias": True}
    yield "relattn no bias", {"bias": False}
    if case.is_decode:
        yield "relattn T5, dynamic M", {"bias": True, "dynamic_rows": True}
    elif has_matrix_unit(target):
        for precision in ("highest", "high") + ("medium",) * (case.kind == "bf16"):
            yield f"relattn T5, AMX {precision}", {"bias": True, "matrix_unit": precision}


def build(place, cases, threads, target):
    """Compiles all that the cases need into a folder."""
    kernels = [get_kernel(case, count, target, **options) for case in cases for count in threads for _, options in variants(case, target)]
    prebuilt.build(place, target, dict.fromkeys(kernels))


def in_layout(case, array):
    """[1, H, S, D] as the case has it."""
    if case.layout == "BHSD":
        return array
    moved = aligned((1, array.shape[2], case.heads, case.depth), case.dtype)
    moved[:] = array.transpose(0, 2, 1, 3)
    return moved


def implementations(case, inputs, threads, target):
    q, k, v, table = inputs
    library = functools.partial(load_yardstick, target)
    pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)

    def make_kernel(bias, **options):
        out = in_layout(case, np.zeros_like(q))
        arrays = [in_layout(case, x) for x in (q, k, v)]
        module = prebuilt.load(*get_kernel(case, threads, target, bias, **options))
        run = module.bind("f", *arrays, table, case.query_offset, out)
        output = (lambda _: out) if case.layout == "BHSD" else (lambda _: out.transpose(0, 2, 1, 3))
        return run, output if bias else None

    def make_yardstick():
        out = aligned(q.shape, q.dtype)
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
        elements, read = (k.nbytes + v.nbytes) // 4, library().relattn_read
        return lambda: read(pointer(k), ctypes.c_int64(elements), ctypes.c_int(threads)), None

    for name, options in variants(case, target):
        if "matrix_unit" not in options or may_use_matrix_unit():
            yield name, functools.partial(make_kernel, **options)
    if case.is_decode:
        yield "plain read", make_read
    if case.kind == "f32" and not case.is_decode and case.depth in (64, 128) and case.layout == "BHSD" and case.queries == case.keys:
        yield "yardstick", make_yardstick
