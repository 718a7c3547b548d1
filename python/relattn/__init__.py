# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention with relative-position bias: the float64 oracle and helpers."""

from relattn.oracle import attention
from relattn.schemes import T5, Alibi, Clip, Dense, Steps, Strip

__all__ = ["Alibi", "Clip", "Dense", "Steps", "Strip", "T5", "attention"]
