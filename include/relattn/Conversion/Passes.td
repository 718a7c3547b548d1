//===- Passes.td - relattn conversion passes ---------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions out of the relattn dialect.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_CONVERSION_PASSES_TD
#define RELATTN_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertRelAttnToLinalg : Pass<"convert-relattn-to-linalg"> {
  let summary = "Convert relattn ops to linalg on tensors";
  let description = [{
    The meaning of every relattn op, as linalg, arith, math, tensor and scf ops:
    for any shape, layout, scheme and mask, and for every target.

    Input: any IR with relattn ops. Output: the same IR without them; all else,
    and `relattn.prefetch`, a hint that bufferises to itself, is left alone. It fails, at the op, on a bias scheme from elsewhere that is
    neither dense nor a function of the offset.

    Attention becomes: a product into one `B x H x M x N` scores tensor in the
    accumulator type (the scale multiplies the query inside it); one pass over
    the scores that adds the strip and the mask and hides keys with -inf; row
    maximum, `exp2((s - max) * log2(e))` in place, row sum, value product,
    division. The scores are the only tensor with both M and N. With
    `key_lengths` or one query offset per batch entry it becomes a loop over the
    batch first, with keys, values and mask sliced to the entry's length; the
    scores tensor is then `1 x H x M x N`.

    Before:

    ```mlir
    func.func @before(%q: tensor<8x512x64xf32>, %slopes: tensor<8xf32>,
        %init: tensor<8x512x64xf32>) -> tensor<8x512x64xf32> {
      %out = relattn.attention causal ins(%q, %q, %q : tensor<8x512x64xf32>,
          tensor<8x512x64xf32>, tensor<8x512x64xf32>)
          bias(#relattn.alibi, %slopes : tensor<8xf32>)
          outs(%init : tensor<8x512x64xf32>)
      return %out : tensor<8x512x64xf32>
    }
    ```

    After (shortened):

    ```
    %strip = linalg.generic ...   // tensor<8x1023xf32>
    %scores = linalg.generic ins(%q, %k) outs(%zeros : tensor<8x512x512xf32>)
    %masked = linalg.generic outs(%scores) {
      ^bb0(%s: f32):
        ...
        %b = tensor.extract %strip[%h, %place] : tensor<8x1023xf32>
        %biased = arith.addf %s, %b : f32
        %visible = arith.cmpi sle, %offset, %c0 : index
        %masked = arith.select %visible, %biased, %minus_infinity : f32
        linalg.yield %masked : f32
    }
    ...
    ```

    Test: `test/Conversion/RelAttnToLinalg/attention.mlir`, executed in
    `test/Integration/CPU`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numConverted", "num-converted", "Number of ops converted">
  ];
}

def VerifyLoweredToLLVM : Pass<"relattn-verify-lowered-to-llvm"> {
  let summary = "Fail on every op that is not of the LLVM dialect";
  let description = [{
    The last pass of a pipeline that promises whole modules: an op that no
    lowering took is an error at its own location, not at a later tool's.
    Nothing is changed. The builtin module and the LLVM and OpenMP dialects,
    which translate to LLVM IR, pass.

    Test: `test/Conversion/verify-lowered-to-llvm.mlir`.
  }];
  let statistics = [
    Statistic<"numLeft", "num-left", "Number of ops left unlowered">
  ];
}

#endif // RELATTN_CONVERSION_PASSES_TD
