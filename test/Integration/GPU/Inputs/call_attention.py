# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls @attention of a module that relattn_gpu_bench has built."""

import sys

import ml_dtypes
import numpy as np

from relattn.jit import Module

tensor = np.zeros((1, 1, 64, 64), ml_dtypes.bfloat16)
Module.load(sys.argv[1]).call("attention", tensor, tensor, tensor, np.zeros((32, 1), np.float32), tensor.copy())
print("called")
