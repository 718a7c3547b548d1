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
    `relattn.bias` with its table and bucketing.
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
    `relattn.attention`.
  }];
  let options = [
    Option<"assumeBoundedScores", "assume-bounded-scores", "bool", "false",
           "The lowest finite number in a mask hides a key">
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
