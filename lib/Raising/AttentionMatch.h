//===- AttentionMatch.h - Attention in plain linalg -------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analysis only: what a value product computes, in the terms of
// relattn.attention, or why it is no attention.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_ATTENTIONMATCH_H
#define RELATTN_LIB_RAISING_ATTENTIONMATCH_H

#include "OffsetBias.h"

namespace mlir::relattn {

/// Options of relattn-raise-attention.
struct AttentionMatchOptions {
  /// Scores are so small that the lowest finite number in a mask hides a key.
  bool assumeBoundedScores = false;
};

/// A value that is the log-sum-exp of the scores.
struct LogSumExpUse {
  Operation *op;
  /// The variables of each dimension of its result, as for the output.
  SmallVector<SmallVector<unsigned>> digits;
};

/// An attention, over variables of its context.
struct AttentionMatch {
  /// The op whose result is the output.
  Operation *root = nullptr;
  /// The product of queries and keys, and that of probabilities and values.
  linalg::LinalgOp scoresOp, valuesOp;
  /// Elements of the operands.
  const Expr *query = nullptr, *key = nullptr, *value = nullptr;
  /// The variables of b, g, r, m, n, d, e; none where the size is 1.
  std::optional<unsigned> variables[7];
  /// The variables of the output's dimensions, in order; dimensions of size 1
  /// have none.
  SmallVector<unsigned> output;
  /// The same for each dimension of the result.
  SmallVector<SmallVector<unsigned>> outputDigits;

  double scale = 1.0;
  /// A bias of the offset, or a relattn.bias, or a dense one.
  std::optional<OffsetBias> offsetBias;
  BiasOp biasOp;
  BiasSchemeAttrInterface biasOpScheme;
  const Expr *denseBias = nullptr;
  /// The sum of what is left, and a condition on which keys are visible.
  const Expr *additiveMask = nullptr, *booleanMask = nullptr;
  std::optional<BandAttr> band;
  Linear queryOffset;
  /// Ops that assert only what is proved.
  llvm::SetVector<Operation *> proven;
  /// Keys from here on are hidden: one number for each batch entry.
  Value keyLengths;
  /// What else reads the scores, and becomes the op's second result.
  SmallVector<LogSumExpUse> logSumExps;
  /// The query offset is an operand of `biasOp`.
  Value queryOffsetTensor;
};

/// Matches the attention whose output is result 0 of `root`. Gives a reason
/// only if there is an exponential at all.
std::optional<AttentionMatch>
matchAttention(ExprContext &context, Operation *root,
               const AttentionMatchOptions &options, Mismatch &refusal);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_ATTENTIONMATCH_H
