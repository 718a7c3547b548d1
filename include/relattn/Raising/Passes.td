//===- Passes.td - relattn raising passes ------------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From what frontends emit to relattn's own ops.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_RAISING_PASSES_TD
#define RELATTN_RAISING_PASSES_TD

include "mlir/Pass/PassBase.td"

def RaiseBias : Pass<"relattn-raise-bias"> {
  let summary = "Raise bucket chains and their gathers to relattn.bias";
  let description = [{
    A value that depends on the head and the offset alone becomes a
    `relattn.bias` with its table and bucketing, however a frontend spells it.

    Input: linalg on tensors, tensor, arith, math, affine. Output: the same with
    such values replaced, the largest ones first; what is not raised is left as
    it was, and the pass never fails. Running it again changes nothing.

    How: an element of the value, at symbolic indices, is followed back as a
    scalar expression through elementwise ops, fused or not, reshapes,
    transposes, broadcasts, slices and copies. What is taken:

    - slopes times the distance (`#relattn.alibi`); where the lengths are static,
      any other function of the offset and of learnt numbers (`#relattn.strip`);
    - a read of one row of a table `[rows, H]` or `[H, rows]` (rank 1: shared),
      by `tensor.extract`, or by the product with a one-hot matrix;
    - the row an integer function of j - i, plus a run-time scalar perhaps, of
      any integer types and any operations: comparisons, logarithms, minima,
      thresholds; or a constant of ids (dense or a resource) that is constant
      along its diagonals;
    - the row's value cast or scaled by a constant (in the table then).

    The row is *evaluated, not recognised*: over ranges of offsets up to 2^30 at
    once, each operation in its own type and rounding, logarithms rounded
    correctly (decision 6). A range that gives one number is a step; any other is
    split. So the steps are exact, and hold beyond every length. Undefined
    conversions (a logarithm of 0 as an integer) are any value, and do not matter
    where a select hides them. The scheme is `#relattn.clip` for one row per
    offset, `#relattn.t5` where the steps are T5's (with every logarithm moved by
    one unit in the last place, if need be), else `#relattn.steps`.

    Bounds assertions (`cf.assert`) go, with the op that holds them, where the
    row is provably inside the table; wraps, clamps and NaN selects of gathers go
    the same way. A static program that reads beyond the table is refused.

    Refused gathers that assert leave a remark (`--remarks-filter=relattn`).

    Before (3 buckets, no head):

    ```mlir
    #i = affine_map<(m, n) -> (m)>
    #j = affine_map<(m, n) -> (n)>
    #mn = affine_map<(m, n) -> (m, n)>
    func.func @before(%table: tensor<3xf32>) -> tensor<4x6xf32> {
      %empty = tensor.empty() : tensor<4x6xf32>
      // min(|j - i|, 2)
      %bias = linalg.generic {indexing_maps = [#mn],
          iterator_types = ["parallel", "parallel"]}
          outs(%empty : tensor<4x6xf32>) {
      ^bb0(%unused: f32):
        %two = arith.constant 2 : i64
        %i = linalg.index 0 : index
        %j = linalg.index 1 : index
        %i64 = arith.index_cast %i : index to i64
        %j64 = arith.index_cast %j : index to i64
        %offset = arith.subi %j64, %i64 : i64
        %distance = math.absi %offset : i64
        %capped = arith.minsi %distance, %two : i64
        %row = arith.index_cast %capped : i64 to index
        %value = tensor.extract %table[%row] : tensor<3xf32>
        linalg.yield %value : f32
      } -> tensor<4x6xf32>
      return %bias : tensor<4x6xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%table: tensor<3xf32>) -> tensor<4x6xf32> {
      %init = tensor.empty() : tensor<1x4x6xf32>
      %bias = relattn.bias
          #relattn.steps<buckets = 3, starts = [-1, 0, 1, 2], ids = [2, 1, 0, 1, 2]>
          ins(%table : tensor<3xf32>) outs(%init : tensor<1x4x6xf32>)
      %empty = tensor.empty() : tensor<4x6xf32>
      %copy = linalg.generic {indexing_maps = [affine_map<(m, n) -> (0, m, n)>,
          affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
          ins(%bias : tensor<1x4x6xf32>) outs(%empty : tensor<4x6xf32>) {
      ^bb0(%in: f32, %unused: f32):
        linalg.yield %in : f32
      } -> tensor<4x6xf32>
      return %copy : tensor<4x6xf32>
    }
    ```

    Test: `test/Raising`, `test/Corpus/raise.test`, executed by
    `test/Integration/CPU/random-frontend.test`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::relattn::RelAttnDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of biases raised">,
    Statistic<"numRefused", "num-refused", "Number of candidates refused">
  ];
}

def RaiseAttention : Pass<"relattn-raise-attention"> {
  let summary = "Raise attention in plain linalg to relattn.attention";
  let description = [{
    Contraction, scale, bias, mask, softmax, contraction become one
    `relattn.attention`, matched by what they compute and not by names.

    Input and method: those of `relattn-raise-bias`. The pass never fails, and
    running it again changes nothing. What is taken:

    - products: any sum of products, any order of operands and dimensions, in a
      body with other work or not; heads and batch in one dimension or in two;
      key heads repeated for groups of query heads;
    - the scale: on query, key, both, the scores, or after bias and mask;
    - softmax: exp or exp2; maximum by `maximumf`, `maxnumf` or a comparison,
      from -inf or a number no score reaches, guarded against -inf or not;
      division, multiplication by the reciprocal, or division of the value
      product; `linalg.softmax`; PyTorch's safe softmax;
    - bias: a `relattn.bias`, or what relattn-raise-bias would raise, becomes the
      op's table (one that stays opaque, `#relattn.dense`); zeros go;
    - masks: a choice between the scores and -inf, or between 0 and -inf, becomes
      the band if it compares positions, `key_lengths` if it compares the key's
      with a number for each batch entry, else the i1 mask. Finite numbers stay an
      additive mask, since they do not hide a key from a query that sees none;
      with `assume-bounded-scores` a choice of 0 or a very low number by position
      is the band where every query provably keeps a key.
    - the logarithm of the sum of exponentials, maximum + log(sum) over the same
      scores, in any order of dimensions: the op's second result.

    Refinements: rounding of the scores to a narrow type before the bias is not
    kept (the op computes in the accumulator type); a query that sees no key
    gives 0 where the program gives NaN, but an attention with a query that
    provably sees none is refused unless its softmax is safe.

    Refused, each with a remark at the op that breaks the match
    (`--remarks-filter=relattn`):
    a softmax over another dimension; a maximum or sum of another tensor; a sum
    or value product that does not start at zero; anything else between scores
    and softmax, or softmax and value product; another user of the scores or the
    probabilities; a log-sum-exp that the values depend on; more dimensions than
    attention has; operands of different types.

    Before:

    ```mlir
    func.func @before(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>,
        %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty() : tensor<8x4x6xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>)
          -> tensor<8x4x6xf32>
      %scores = linalg.batch_matmul
          ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>)
          outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
      %half = arith.constant dense<0.5> : tensor<8x4x6xf32>
      %scaled = arith.mulf %scores, %half : tensor<8x4x6xf32>
      %m_empty = tensor.empty() : tensor<8x4xf32>
      %lowest = arith.constant 0xFF800000 : f32
      %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>)
          -> tensor<8x4xf32>
      %max = linalg.reduce { arith.maximumf } ins(%scaled : tensor<8x4x6xf32>)
          outs(%m_init : tensor<8x4xf32>) dimensions = [2]
      %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>)
          outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
      %below = arith.subf %scaled, %maxes : tensor<8x4x6xf32>
      %exp = math.exp %below : tensor<8x4x6xf32>
      %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>)
          -> tensor<8x4xf32>
      %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>)
          outs(%s_init : tensor<8x4xf32>) dimensions = [2]
      %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>)
          outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
      %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
      %out_empty = tensor.empty() : tensor<8x4x16xf32>
      %out_zeros = linalg.fill ins(%zero : f32)
          outs(%out_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
      %out = linalg.batch_matmul
          ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>)
          outs(%out_zeros : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
      return %out : tensor<8x4x16xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>,
        %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
      %init = tensor.empty() : tensor<8x4x16xf32>
      %out = relattn.attention
          scale(0.5) maps((g, m, d), (g, d, n), (g, n, e) -> (g, m, e))
          ins(%q, %k, %v : tensor<8x4x16xf32>, tensor<8x16x6xf32>,
              tensor<8x6x16xf32>)
          outs(%init : tensor<8x4x16xf32>)
      return %out : tensor<8x4x16xf32>
    }
    ```

    Test: `test/Raising`, `test/Corpus/raise.test`, executed by
    `test/Integration/CPU/random-frontend.test`.
  }];
  let options = [
    Option<"assumeBoundedScores", "assume-bounded-scores", "bool", "false",
           "Very low finite numbers hide a key where every query keeps one">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::relattn::RelAttnDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of attentions raised">,
    Statistic<"numRefused", "num-refused", "Number of candidates refused">
  ];
}

#endif // RELATTN_RAISING_PASSES_TD
