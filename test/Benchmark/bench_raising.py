#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time of relattn-raise over the number of layers of a T5 encoder.

    PYTHONPATH=python build/venv/bin/python test/Benchmark/bench_raising.py

Needs torch, transformers and torch-mlir, which export the encoders.
"""

import argparse
import subprocess
import sys
import time

from relattn.importer import import_torch
from relattn.jit import find_tool
from relattn.testing.random_frontend import attributes


def encoder(layers):
    """The linalg of a T5 encoder of tiny width."""
    import torch
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(0)
    config = T5Config(d_model=32, d_kv=16, num_heads=2, d_ff=32, num_layers=layers, vocab_size=64, dropout_rate=0.0)
    config._attn_implementation = "eager"
    model = T5EncoderModel(config)

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids):
            return self.model(input_ids=ids)[0]

    return import_torch(Encoder().eval(), (torch.randint(0, 64, (1, 24)),))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, nargs="*", default=[6, 12, 24, 48])
    args = parser.parse_args()
    print(f"{'layers':>7} {'lines':>8} {'found':>6} {'seconds':>8} {'ratio':>6} {'cleanups alone':>15}")
    last = None
    for layers in args.layers:
        text = encoder(layers)
        def timed(flags):
            best, output = float("inf"), ""
            for _ in range(3):
                start = time.perf_counter()
                output = subprocess.run([find_tool("relattn-opt"), "--mlir-disable-threading", *flags], input=text,
                                        text=True, capture_output=True, check=True).stdout
                best = min(best, time.perf_counter() - start)
            return best, output
        seconds, output = timed(["--relattn-raise"])
        cleanups, _ = timed(["--canonicalize", "--cse", "--int-range-optimizations", "--canonicalize", "--cse"])
        found = attributes(output)["main"][0]
        ratio = f"{seconds / last:.2f}" if last else ""
        print(f"{layers:>7} {len(text.splitlines()):>8} {found:>6} {seconds:>8.2f} {ratio:>6} {cleanups:>15.2f}", flush=True)
        last = seconds


if __name__ == "__main__":
    sys.exit(main())
