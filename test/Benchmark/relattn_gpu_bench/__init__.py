# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn-to-gpu on a GPU: conformance, and time against PyTorch's attention.

`python -m relattn_gpu_bench.build` compiles what runs, on any machine that has
relattn; `python -m relattn_gpu_bench` runs it, on one with a driver and PyTorch.
"""
