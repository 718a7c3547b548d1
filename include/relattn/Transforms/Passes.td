//===- Passes.td - relattn transform passes ----------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that stay at their level.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TRANSFORMS_PASSES_TD
#define RELATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def FoldBiasIntoScores : Pass<"relattn-fold-bias-into-scores"> {
  let summary = "Start the score matmul from the bias";
  let description = [{
    `contraction(Q, K, init = 0) + bias` becomes `contraction(Q, K, init =
    bias)`, on any linalg on tensors, attention or not: a linear layer's bias
    and a residual add fold too. The addition and one pass over the product go.

    Input: any IR. Output: the same with such additions folded; all else is left
    alone, and the pass never fails. It reaches a fixed point, and running it
    again changes nothing.

    What is taken:

    - the contraction: every named matmul, `linalg.contract`, a generic that is
      one; any rank and layout; f32, f64 and integers;
    - between contraction and add: `tensor.expand_shape`, `collapse_shape`,
      `cast`, `linalg.transpose`;
    - the add: `linalg.add`, `linalg.elementwise`, `arith.addf` and `addi` on
      tensors, or one or more additions at the start of a generic's body, either
      operand order; what the body adds may be any expression without side
      effects (a select between bias and mask, a scaled bias), broadcast by any
      map. The rest of the body stays.

    The new accumulator is the bias itself where a linalg op made it for this
    add alone. Otherwise (a broadcast, an argument, a constant, a value with
    other users) one generic writes it into the destination of the zeros, which
    costs no more than writing the zeros did; so nothing of the caller's is
    overwritten and no buffer is added. What an accumulator made for the
    contraction alone already holds (another bias, an earlier contraction) is
    added in that pass: bias and mask fold after each other.

    What is refused, each with a remark (`--remarks-filter=relattn`) at the op:
    another user of the product; a contraction that starts from what others read
    and not from zero (0.0 or -0.0); one in another block (it would move into a loop); an accumulator
    narrower than f32; scores converted before the add; scores that the add
    broadcasts; an add that accumulates a reduction of the scores; a named op
    that transposes them; a transpose before a reshape; a bias with side
    effects; sizes that are not known before the contraction.

    A floating-point sum is reassociated, as by upstream's
    `linalg-fold-add-into-dest`: with K products p the result differs from the
    exact one by at most K * eps * (|bias| + sum |p|), against K * eps *
    sum |p| + eps * |bias| before; a zero may change its sign. `nnan`, `ninf`
    and `nsz` on the contraction's additions stay only if the folded ones had
    them too, and overflow flags go. Discardable attributes of the contraction
    stay, those of a folded op go with it.

    Before:

    ```mlir
    #id = affine_map<(h, m, n) -> (h, m, n)>
    func.func @before(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>,
        %bias: tensor<8x4x6xf32>) -> tensor<8x4x6xf32> {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty() : tensor<8x4x6xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>)
          -> tensor<8x4x6xf32>
      %scores = linalg.batch_matmul
          ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>)
          outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
      %biased = linalg.add
          ins(%scores, %bias : tensor<8x4x6xf32>, tensor<8x4x6xf32>)
          outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
      return %biased : tensor<8x4x6xf32>
    }
    ```

    After:

    ```mlir
    #id = affine_map<(h, m, n) -> (h, m, n)>
    func.func @after(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>,
        %bias: tensor<8x4x6xf32>) -> tensor<8x4x6xf32> {
      %empty = tensor.empty() : tensor<8x4x6xf32>
      %init = linalg.generic {indexing_maps = [#id, #id],
          iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%bias : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
      ^bb0(%b: f32, %unused: f32):
        linalg.yield %b : f32
      } -> tensor<8x4x6xf32>
      %biased = linalg.batch_matmul
          ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>)
          outs(%init : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
      return %biased : tensor<8x4x6xf32>
    }
    ```

    Test: `test/Transforms/fold-bias-into-scores.mlir`, executed by
    `test/Integration/CPU/random-linalg.test`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Number of additions folded">,
    Statistic<"numRefused", "num-refused", "Number of candidates refused">
  ];
}

def MarkManualDeallocation : Pass<"relattn-mark-manual-deallocation"> {
  let summary = "Leave the memory that a program frees itself to the program";
  let description = [{
    Upstream's ownership-based buffer deallocation frees what bufferisation
    allocates, but refuses a program that frees a buffer of its own. This pass,
    run before bufferisation, marks every op that frees a memref, and the op
    that allocated it, with `bufferization.manual_deallocation`, which makes
    that pass leave them alone. Nothing else is changed.

    Before:

    ```mlir
    func.func @before() {
      %0 = memref.alloc() : memref<4xf32>
      memref.dealloc %0 : memref<4xf32>
      return
    }
    ```

    After:

    ```mlir
    func.func @after() {
      %0 = memref.alloc() {bufferization.manual_deallocation} : memref<4xf32>
      memref.dealloc %0 {bufferization.manual_deallocation} : memref<4xf32>
      return
    }
    ```

    Test: `test/Transforms/mark-manual-deallocation.mlir`.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
  let statistics = [
    Statistic<"numMarked", "num-marked", "Number of ops marked">
  ];
}

def RemoveScaling : Pass<"relattn-remove-scaling"> {
  let summary = "Take the scale off the scores";
  let description = [{
    `contraction(Q, K) * c` becomes `contraction(Q * c, K)`: the M x N scores
    are multiplied by nothing, and an operand, a constant or another scale takes
    the factor. On any linalg on tensors, attention or not.

    Input: any IR. Output: the same with such factors moved; all else is left
    alone, and the pass never fails. It reaches a fixed point, and running it
    again changes nothing.

    What is taken:

    - `arith.mulf` and `divf` on tensors, `linalg.mul`, `div`, `elementwise`, or
      a multiplication or division in a generic's body whose other operand is
      one number: a constant in the body or outside, a rank-0 or one-element
      tensor, a fill, a splat, a run-time scalar, a cast or reciprocal or other
      expression of those;
    - on the scores, behind `tensor.expand_shape`, `collapse_shape`, `cast`,
      `linalg.transpose`, fused with other work or not;
    - after a bias (or several): `(s + b) * c` becomes `s + b * c`, and b is
      scaled where that costs least (in a constant, in the table of a gather, in
      the op that computes it, else in the body);
    - after an initial accumulator that is not zero, if that can be scaled
      without a pass of its own;
    - on both operands (square roots): one factor on the smaller one;
    - on the larger operand: to the smaller one.

    Where it goes: into a constant operand (weights of the projection included),
    another scale, the elementwise op that computes an operand, else a new pass
    over the smaller operand that nobody else reads. A factor of 1 just goes.

    When it is exact: multiplication by a power of two whose exponent is at most
    a quarter of the type's range (f32: 2^-32 to 2^32, f16: 2^-4 to 2^4) rounds
    nothing, unless a scaled operand becomes subnormal or a scaled sum overflows.
    All other factors, and run-time ones, move only if the multiplication has
    the fast-math flag `reassoc`, or with `allow-reassociation`. A contraction
    needs no flag: linalg's reductions have no order. The result then differs
    from the exact one by at most (K + 2) * eps * |c| * sum |p| for K products
    p, against (K + 1) * eps * |c| * sum |p| before (one eps more for a division,
    which becomes a multiplication by the rounded reciprocal).

    What is refused, each with a remark (`--remarks-filter=relattn`) at the op:
    another user of the product; a factor that may not move; scores converted
    before the scale; operands of a narrower type than the scores; no operand
    smaller than the scores (K >= N); another user of the smaller operand; an
    initial accumulator that would take a pass of its own; a run-time scale in
    another block than the contraction; a named op that does more than scale. A
    constant that is zero, subnormal or not finite is no scale.

    Before:

    ```mlir
    #id = affine_map<(h, m, n) -> (h, m, n)>
    func.func @before(%q: tensor<8x?x64xf32>, %k: tensor<8x64x?xf32>,
        %zeros: tensor<8x?x?xf32>, %empty: tensor<8x?x?xf32>)
        -> tensor<8x?x?xf32> {
      %zero = arith.constant 0.0 : f32
      %scale = arith.constant 0.125 : f32
      %init = linalg.fill ins(%zero : f32) outs(%zeros : tensor<8x?x?xf32>)
          -> tensor<8x?x?xf32>
      %scores = linalg.batch_matmul
          ins(%q, %k : tensor<8x?x64xf32>, tensor<8x64x?xf32>)
          outs(%init : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
      %scaled = linalg.generic {indexing_maps = [#id, #id],
          iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%scores : tensor<8x?x?xf32>) outs(%empty : tensor<8x?x?xf32>) {
      ^bb0(%s: f32, %unused: f32):
        %p = arith.mulf %s, %scale : f32
        linalg.yield %p : f32
      } -> tensor<8x?x?xf32>
      return %scaled : tensor<8x?x?xf32>
    }
    ```

    After:

    ```mlir
    #id = affine_map<(h, m, d) -> (h, m, d)>
    func.func @after(%q: tensor<8x?x64xf32>, %k: tensor<8x64x?xf32>,
        %zeros: tensor<8x?x?xf32>, %empty: tensor<8x?x64xf32>)
        -> tensor<8x?x?xf32> {
      %zero = arith.constant 0.0 : f32
      %scale = arith.constant 0.125 : f32
      %init = linalg.fill ins(%zero : f32) outs(%zeros : tensor<8x?x?xf32>)
          -> tensor<8x?x?xf32>
      %scaled = linalg.generic {indexing_maps = [#id, #id],
          iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%q : tensor<8x?x64xf32>) outs(%empty : tensor<8x?x64xf32>) {
      ^bb0(%s: f32, %unused: f32):
        %p = arith.mulf %s, %scale : f32
        linalg.yield %p : f32
      } -> tensor<8x?x64xf32>
      %scores = linalg.batch_matmul
          ins(%scaled, %k : tensor<8x?x64xf32>, tensor<8x64x?xf32>)
          outs(%init : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
      return %scores : tensor<8x?x?xf32>
    }
    ```

    Test: `test/Transforms/remove-scaling.mlir`, executed by
    `test/Integration/CPU/random-linalg.test`.
  }];
  let options = [
    Option<"allowReassociation", "allow-reassociation", "bool", "false",
           "Move factors that are no powers of two without fast-math flags">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numRemoved", "num-removed", "Number of scales moved or removed">,
    Statistic<"numRefused", "num-refused", "Number of candidates refused">
  ];
}

#endif // RELATTN_TRANSFORMS_PASSES_TD
