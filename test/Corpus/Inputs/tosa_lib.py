# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch to linalg by torch-mlir's TOSA or StableHLO back end."""
from corpus_lib import *

TOSA = ("builtin.module(func.func(tosa-infer-shapes,tosa-make-broadcastable,"
        "tosa-to-linalg-named,canonicalize,tosa-layerwise-constant-fold,"
        "tosa-make-broadcastable),func.func(tosa-to-linalg),"
        "func.func(tosa-to-arith{include-apply-rescale=true}),"
        "func.func(tosa-to-tensor),canonicalize,cse)")


def back_end_case(name, module, args, path, **meta):
    """The bucket chain's rounding may differ from PyTorch's in TOSA."""
    if not wanted(name):
        return
    try:
        x = torch_inputs(args)
        expected = torch_reference(module, x)
        if path == "tosa":
            text = torch_linalg(module, x, output="tosa")
            text = run_tool([MLIR_OPT, "--pass-pipeline=" + TOSA], text)
        else:
            text = torch_linalg(module, x, output="stablehlo")
            text = run_tool([TORCH_MLIR_OPT,
                             "--stablehlo-aggressive-simplification",
                             "--stablehlo-legalize-to-linalg",
                             "--canonicalize", "--cse"], text)
        emit(name, text, args, expected=expected, **meta)
    except Exception as e:
        print("FAILED", name, str(e)[:1500], flush=True)
