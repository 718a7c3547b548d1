//===- SoftmaxMatch.h - Softmax in every spelling ---------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the scores behind probabilities, on expressions: fused or not, with
// exp or exp2, division or reciprocal, safe against rows that see nothing.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_SOFTMAXMATCH_H
#define RELATTN_LIB_RAISING_SOFTMAXMATCH_H

#include "Mismatch.h"

namespace mlir::relattn {

/// The scores of which an expression is the softmax over a variable.
struct SoftmaxMatch {
  const Expr *scores = nullptr;
  /// The expression is exp(scores - maximum) only; this is its sum's leaf
  /// elsewhere.
  bool isUnnormalised = false;
  const Expr *exponential = nullptr;
  /// A row of -inf gives 0, not NaN.
  bool isSafe = false;
};

/// Matches `probabilities` as softmax over the variable `key`. Gives a reason
/// only if there is an exponential at all.
std::optional<SoftmaxMatch> matchSoftmax(ExprContext &context,
                                         const Expr *probabilities,
                                         unsigned key, Mismatch &refusal);

/// Whether `sum` is the sum of `exponential` over `key`.
bool isSumOf(ExprContext &context, const Expr *sum, const Expr *exponential,
             unsigned key, Mismatch &refusal);

/// The scores of which `expr` is the logarithm of the sum of exponentials over
/// `key`, computed as maximum + log(sum); null if it is not.
const Expr *matchLogSumExp(ExprContext &context, const Expr *expr,
                           unsigned key);

/// The `x` and `sum` of x / sum or x * (1 / sum).
std::optional<std::pair<const Expr *, const Expr *>>
matchQuotient(const Expr *expr);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_SOFTMAXMATCH_H
