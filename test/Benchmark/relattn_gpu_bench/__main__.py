# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs what relattn_gpu_bench.build has compiled, on a GPU.

    python -m relattn_gpu_bench --files build/gpu --out results.jsonl

First every conformance case against the float64 oracle, then times: each shape's
implementations turn about in one process, medians of CUDA events.
"""

import argparse
import ctypes
import json
import math
import random
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from relattn.jit import Module, _descriptor_type
from relattn.testing.generator import Generator

#: Of bf16 and of f32.
HEADS = {torch.bfloat16: 16, torch.float32: 12}
BATCH = {torch.bfloat16: 4, torch.float32: 1}


def descriptor(pointer, shape, strides):
    integers = lambda values: (ctypes.c_int64 * len(shape))(*values)
    return _descriptor_type(len(shape))(pointer, pointer, 0, integers(shape), integers(strides))


def of_tensor(tensor):
    return descriptor(tensor.data_ptr(), tensor.shape, tensor.stride())


class DeviceModule:
    """A compiled module whose arrays are copied to the GPU and back."""

    def __init__(self, module):
        self.module = module

    def call(self, name, *arguments):
        kept, places = [], []
        for argument in arguments:
            if not isinstance(argument, np.ndarray):
                places.append(ctypes.c_int64(argument))
                continue
            array = np.ascontiguousarray(argument)
            raw = np.frombuffer(array.tobytes() or b"\0", np.uint8)
            buffer = torch.from_numpy(raw.copy()).cuda()
            strides = [s // array.itemsize for s in array.strides]
            kept.append((argument, buffer))
            places.append(ctypes.byref(descriptor(buffer.data_ptr(), array.shape, strides)))
        torch.cuda.synchronize()
        self.module._function(name)(*places)
        torch.cuda.synchronize()
        for array, buffer in kept:
            data = buffer.cpu().numpy().tobytes()[: array.nbytes]
            array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)


def conformance(folder, modules):
    """Every case of every module; the number that failed."""
    passed, failures, worst = 0, [], 0.0
    for entry in modules:
        module = DeviceModule(Module.load(folder / entry["file"]))
        generator = Generator(entry["seed"], for_gpu=True)
        for i in range(entry["count"]):
            case = generator.next()
            result = case.expected()
            ratio, message = case.check(case.run(module, f"case_{i}", result), result, rounds_weights=case.on_matrix_units())
            worst = max(worst, ratio)
            passed += not message
            if message:
                failures.append(f"{entry['file']} case_{i}: {message}\n    {', '.join(case.tags)}")
    for failure in failures[:20]:
        print(failure)
    print(f"conformance: {passed} passed, {len(failures)} failed, worst error / tolerance {worst:.3f}", flush=True)
    return len(failures)


def t5_bucket(offset, bidirectional):
    """Hugging Face's formula, 32 buckets, distance 128; on tensors."""
    buckets, bucket = 32, 0
    if bidirectional:
        buckets //= 2
        bucket = (offset > 0).long() * buckets
        offset = offset.abs()
    else:
        offset = -torch.minimum(offset, torch.zeros_like(offset))
    exact = buckets // 2
    far = exact + (torch.log(offset.float().clamp(min=1) / exact) / math.log(128 / exact) * (buckets - exact)).long()
    return bucket + torch.where(offset < exact, offset, far.clamp(max=buckets - 1))


def dense_bias(table, queries, keys, causal):
    offset = torch.arange(keys, device="cuda")[None, :] - torch.arange(queries, device="cuda")[:, None]
    bias = table.to(torch.bfloat16)[t5_bucket(offset, not causal)].permute(2, 0, 1).contiguous()
    if causal:
        bias.masked_fill_(offset > 0, float("-inf"))
    return bias[None]


class Shape:
    def __init__(self, depth, length, causal, dtype):
        self.depth, self.length, self.causal, self.dtype = depth, length, causal, dtype
        self.batch, self.heads = BATCH[dtype], HEADS[dtype]
        generator = torch.Generator("cuda").manual_seed(7)
        make = lambda: torch.randn(self.batch, self.heads, length, depth, device="cuda", generator=generator).to(dtype)
        # Unscaled scores of unit variance, as a trained T5 has them.
        self.q, self.k, self.v = make() * depth**-0.5, make(), make()
        self.table = torch.randn(32, self.heads, device="cuda", generator=generator)
        self.out = torch.empty_like(self.q)

    def __str__(self):
        name = f"D{self.depth} M=N={self.length}" + " causal" * self.causal
        return name + " f32" * (self.dtype == torch.float32)

    @property
    def flops(self):
        return 4.0 * self.batch * self.heads * self.length**2 * self.depth / (2 if self.causal else 1)

    def error(self, output, bias):
        """Largest error of some queries of one head, and where they are, to
        float64."""
        rows = torch.cat([torch.arange(0, min(64, self.length)), torch.arange(max(0, self.length - 64), self.length)])
        rows = rows.unique().cuda()
        b, h = self.batch - 1, self.heads // 2
        q, k, v = (x[b, h].double() for x in (self.q, self.k, self.v))
        scores = q[rows] @ k.T
        offset = torch.arange(self.length, device="cuda")[None, :] - rows[:, None]
        if bias:
            scores += self.table[:, h].double()[t5_bucket(offset, not self.causal)]
        if self.causal:
            scores.masked_fill_(offset > 0, float("-inf"))
        return (output[b, h, rows].double() - scores.softmax(-1) @ v).abs().max().item()


def ours(folder, entry, shape):
    module = Module.load(folder / entry["file"])
    function = module._function("attention")
    set_stream = ctypes.CDLL(str(folder / "librelattn_cuda_runtime.so")).relattnSetStream
    set_stream.argtypes = [ctypes.c_void_p]
    kept = [of_tensor(x) for x in (shape.q, shape.k, shape.v, shape.table, shape.out)]
    places = [ctypes.byref(x) for x in kept]

    def run():
        set_stream(torch.cuda.current_stream().cuda_stream)
        function(*places)
        return shape.out

    run.kept = kept
    return run


def is_for(entry, shape):
    """Whether a compiled kernel takes a shape."""
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[entry["dtype"]]
    return ((entry["depth"], entry["causal"], dtype) == (shape.depth, shape.causal, shape.dtype)
            and entry["length"] in (None, shape.length))


def peers(shape, with_flex, with_dense):
    """name, function, whether it has the bias"""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention as sdpa
    inputs = (shape.q, shape.k, shape.v)

    def backend(kind, mask=None):
        def run():
            with sdpa_kernel(kind):
                return sdpa(*inputs, attn_mask=mask, is_causal=shape.causal and mask is None, scale=1.0)
        return run

    if shape.dtype == torch.float32:
        yield "SDPA efficient", backend(SDPBackend.EFFICIENT_ATTENTION), False
        return
    yield "SDPA flash", backend(SDPBackend.FLASH_ATTENTION), False
    yield "SDPA cuDNN", backend(SDPBackend.CUDNN_ATTENTION), False
    if with_dense:
        bias = dense_bias(shape.table, shape.length, shape.length, shape.causal)
        yield "SDPA efficient, dense bias", backend(SDPBackend.EFFICIENT_ATTENTION, bias), True
        yield "SDPA cuDNN, dense bias", backend(SDPBackend.CUDNN_ATTENTION, bias), True
    if with_flex:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        # The table by offset: what a score_mod can do at best without a gather of
        # its own buckets.
        offsets = torch.arange(-(shape.length - 1), shape.length, device="cuda")
        strip = shape.table[t5_bucket(offsets, not shape.causal)].T.contiguous()
        zero = shape.length - 1

        def score_mod(score, b, h, i, j):
            return score + strip[h, j - i + zero]

        block_mask = None
        if shape.causal:
            block_mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, shape.length, shape.length)
        torch._dynamo.reset()  # or it gives up after a few shapes
        flex = torch.compile(flex_attention, dynamic=False)
        yield "FlexAttention, T5 score_mod", lambda: flex(*inputs, score_mod=score_mod, block_mask=block_mask, scale=1.0), True
        yield "FlexAttention, no bias", lambda: flex(*inputs, block_mask=block_mask, scale=1.0), False


def measure(calls, rounds):
    """Medians in ms of functions that run turn about."""
    times = {name: [] for name in calls}
    order = random.Random(1)
    for _ in range(rounds):
        # What ran before decides the chip's clock and its cache.
        for name, run in order.sample(list(calls.items()), len(calls)):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            run()
            start.record()
            for _ in range(3):
                run()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end) / 3)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", default="build/gpu", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lengths", type=int, nargs="*", default=[4096, 16384])
    parser.add_argument("--depths", type=int, nargs="*", default=[64, 128])
    parser.add_argument("--causal", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--schedules", nargs="*", help="default: all that were built")
    parser.add_argument("--flex", action="store_true", help="FlexAttention, which takes a minute to compile")
    parser.add_argument("--no-conformance", action="store_true")
    arguments = parser.parse_args()
    manifest = json.loads((arguments.files / "manifest.json").read_text())
    print(torch.cuda.get_device_name(), "torch", torch.__version__, flush=True)
    torch.zeros(1, device="cuda")  # its context is ours
    failed = 0 if arguments.no_conformance else conformance(arguments.files, manifest["modules"])
    lines = []
    shapes = [(depth, length, bool(causal), torch.bfloat16)
              for depth in arguments.depths for length in arguments.lengths for causal in arguments.causal]
    shapes += [(depth, arguments.lengths[0], False, torch.float32)
               for depth in sorted({entry["depth"] for entry in manifest["kernels"] if entry["dtype"] == "f32"})]
    for parameters in shapes:
        begin = time.time()
        shape = Shape(*parameters)
        calls, facts = {}, {}

        def add(name, run, bias):
            try:
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
                error = shape.error(run(), bias)
                calls[name] = run
                facts[name] = {"bias": bias, "max_abs_error": error,
                               "torch_memory_mb": (torch.cuda.max_memory_allocated() - before) / 1e6}
            except Exception as problem:
                print(f"  {name}: {type(problem).__name__}: {str(problem).splitlines()[0][:150]}")

        for entry in manifest["kernels"]:
            chosen = arguments.schedules is None or entry["schedule"] in arguments.schedules
            if chosen and is_for(entry, shape):
                add(f"relattn {entry['schedule']}{'' if entry['bias'] else ', no bias'}",
                    ours(arguments.files, entry, shape), entry["bias"])
        for name, run, bias in peers(shape, arguments.flex, shape.length <= 16384):
            add(name, run, bias)
        medians = measure(calls, arguments.rounds)
        print(f"{shape} ({time.time() - begin:.0f} s)")
        for name, ms in medians.items():
            line = {"case": str(shape), "impl": name, "median_ms": ms, "tflops": shape.flops / ms * 1e-9, **facts[name]}
            lines.append(line)
            print(f"  {ms:9.3f} ms {line['tflops']:7.1f} TFLOP/s  error {line['max_abs_error']:.2e}  {name}", flush=True)
    if arguments.out:
        with open(arguments.out, "w") as file:
            for line in lines:
                file.write(json.dumps({"device": torch.cuda.get_device_name(), **line}) + "\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
