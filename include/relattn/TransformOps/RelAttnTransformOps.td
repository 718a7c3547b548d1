//===- RelAttnTransformOps.td - relattn in transform scripts -*- tablegen -*-=//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rewrites of relattn as ops of the transform dialect.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_TD
#define RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_TD

include "mlir/Dialect/Transform/IR/TransformDialect.td"
include "mlir/Dialect/Transform/Interfaces/TransformInterfaces.td"
include "mlir/IR/OpBase.td"

def ApplyFoldBiasIntoScoresPatternsOp : Op<Transform_Dialect,
    "apply_patterns.relattn.fold_bias_into_scores",
    [DeclareOpInterfaceMethods<PatternDescriptorOpInterface>]> {
  let description = [{
    `contraction(Q, K, init = 0) + bias` becomes `contraction(Q, K, init =
    bias)`, in a `transform.apply_patterns` region. What is taken and what is
    refused: see the pass `relattn-fold-bias-into-scores`.

    ```mlir
    module attributes {transform.with_named_sequence} {
      transform.named_sequence @__transform_main(
          %root: !transform.any_op {transform.readonly}) {
        %func = transform.structured.match ops{["func.func"]} in %root
            : (!transform.any_op) -> !transform.any_op
        transform.apply_patterns to %func {
          transform.apply_patterns.relattn.fold_bias_into_scores
        } : !transform.any_op
        transform.yield
      }
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def ApplyRemoveScalingPatternsOp : Op<Transform_Dialect,
    "apply_patterns.relattn.remove_scaling",
    [DeclareOpInterfaceMethods<PatternDescriptorOpInterface>]> {
  let description = [{
    `contraction(Q, K) * c` becomes `contraction(Q * c, K)`, in a
    `transform.apply_patterns` region. With `allow_reassociation` also for
    factors that are no powers of two, without fast-math flags. What is taken
    and what is refused: see the pass `relattn-remove-scaling`.

    ```mlir
    module attributes {transform.with_named_sequence} {
      transform.named_sequence @__transform_main(
          %root: !transform.any_op {transform.readonly}) {
        %func = transform.structured.match ops{["func.func"]} in %root
            : (!transform.any_op) -> !transform.any_op
        transform.apply_patterns to %func {
          transform.apply_patterns.relattn.remove_scaling {allow_reassociation}
        } : !transform.any_op
        transform.yield
      }
    }
    ```
  }];
  let arguments = (ins UnitAttr:$allow_reassociation);
  let assemblyFormat = "attr-dict";
}

#endif // RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_TD
