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
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/CommonAttrConstraints.td"
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

def TileAttentionOp : Op<Transform_Dialect, "relattn.tile_attention",
    [DeclareOpInterfaceMethods<TransformOpInterface>,
     DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     ReportTrackingListenerFailuresOpTrait]> {
  let summary = "Tile attention into loops over workers, keys and panels";
  let description = [{
    Replaces each `relattn.attention` of `target` by `relattn.online_attention`
    in loops, as the pass `relattn-tile-attention` does, whose options are the
    attributes. `loops` are the `scf.forall` over workers: one for each target,
    or, where keys are in parts, one over these and one that merges them, or, by
    `dynamic_rows`, one for few queries and one for many. (Those
    that copy keys before are not among them.) Map or outline them, and decompose
    the steps.

    A target that is no attention is a definite error; one that cannot be tiled
    (the pass's list) a silenceable one, and nothing has changed then.

    ```mlir
    module attributes {transform.with_named_sequence} {
      transform.named_sequence @__transform_main(
          %root: !transform.any_op {transform.readonly}) {
        %attention = transform.structured.match ops{["relattn.attention"]}
            in %root : (!transform.any_op) -> !transform.any_op
        %loops = transform.relattn.tile_attention %attention
            {lanes = 64, panels = 1, keys = 128}
            : (!transform.any_op) -> !transform.any_op
        %steps = transform.structured.match ops{["relattn.online_attention"]}
            in %root : (!transform.any_op) -> !transform.any_op
        transform.relattn.decompose_attention %steps : !transform.any_op
        transform.yield
      }
    }
    ```
  }];
  let arguments = (ins
    TransformHandleTypeInterface:$target,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "16">:$lanes,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "4">:$panels,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "96">:$keys,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "8">:$rows,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "512">:$row_keys,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$workers,
    UnitAttr:$dynamic_rows,
    UnitAttr:$workgroups,
    DefaultValuedAttr<BoolAttr, "true">:$matrix_units,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<3>]>,
                      "0">:$weight_parts,
    UnitAttr:$prefetch,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$shared_bytes
  );
  let results = (outs TransformHandleTypeInterface:$loops);
  let assemblyFormat =
      "$target attr-dict `:` functional-type($target, $loops)";
}

def DecomposeAttentionOp : Op<Transform_Dialect,
    "relattn.decompose_attention",
    [DeclareOpInterfaceMethods<TransformOpInterface>,
     DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     ReportTrackingListenerFailuresOpTrait]> {
  let summary = "Turn steps and merges of attention into linalg";
  let description = [{
    Replaces each `relattn.online_attention` and `relattn.merge` of `target` by
    linalg on tiles, as the pass `relattn-decompose-attention` does; `workgroups` is
    for steps that were tiled with it. Another op is a definite error. An example
    stands with `relattn.tile_attention`.
  }];
  let arguments = (ins TransformHandleTypeInterface:$target,
                   UnitAttr:$workgroups);
  let results = (outs);
  let assemblyFormat = "$target attr-dict `:` type($target)";
}

#endif // RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_TD
