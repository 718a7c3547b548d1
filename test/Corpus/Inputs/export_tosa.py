#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A case through TOSA.  pip: as for export_torch.py."""
import os
import corpus_lib
_only = corpus_lib.ONLY
corpus_lib.ONLY = "^$"
from export_torch import *
corpus_lib.ONLY = _only
from tosa_lib import back_end_case

m = t5_attention("eager")
back_end_case("tosa-t5-f32", functional(m, first),
              [arg((2, 32, 32), "f32", U(), "hidden")] + weight_args(m),
              "tosa", source="transformers 5 via torch-mlir TOSA, lowered by "
              "mlir-opt", ops=1, bucket=T5(), scale=1.0,
              variants="V14 V18 V19",
              what="T5Attention through TOSA: linalg.reduce, reciprocal then "
                   "multiply, log base by multiplication with a rounded "
                   "reciprocal, truncation as floor/ceil/select and clamps")
