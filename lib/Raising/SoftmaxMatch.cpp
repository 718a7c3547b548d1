//===- SoftmaxMatch.cpp - Softmax in every spelling -----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "SoftmaxMatch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::relattn;

/// 1 / `expr`'s denominator, if it is a reciprocal.
static const Expr *matchReciprocal(const Expr *expr) {
  expr = skipFloatCasts(expr);
  if (!expr->is("arith.divf"))
    return nullptr;
  std::optional<double> one = getFloat(expr->operands[0]);
  return one && *one == 1.0 ? expr->operands[1] : nullptr;
}

std::optional<std::pair<const Expr *, const Expr *>>
relattn::matchQuotient(const Expr *expr) {
  expr = skipFloatCasts(expr);
  if (expr->is("arith.divf"))
    return std::make_pair(skipFloatCasts(expr->operands[0]),
                          skipFloatCasts(expr->operands[1]));
  if (expr->is("arith.mulf"))
    for (unsigned i : {0u, 1u})
      if (const Expr *sum = matchReciprocal(expr->operands[i]))
        return std::make_pair(skipFloatCasts(expr->operands[1 - i]),
                              skipFloatCasts(sum));
  return std::nullopt;
}

/// A reduction over one variable, renamed to `key`.
static std::optional<ExprContext::Reduction>
openOver(ExprContext &context, const Expr *leaf, unsigned key) {
  auto reduction = context.openReduction(skipFloatCasts(leaf));
  if (!reduction || reduction->bound.size() != 1 || !reduction->value)
    return std::nullopt;
  reduction->value = context.substitute(
      reduction->value, {{reduction->bound[0], Linear::var(key)}});
  return reduction;
}

static bool isMinusInfinity(const Expr *expr) {
  std::optional<double> number = getFloat(skipFloatCasts(expr));
  return number && std::isinf(*number) && *number < 0;
}

/// -inf, or a number that no score falls below: about the lowest of its type.
static bool isLowest(const Expr *expr) {
  const Expr *inner = skipFloatCasts(expr);
  std::optional<double> number = getFloat(inner);
  return number && *number <= (inner->type.isF16() ? -65504.0 : -1e38);
}

bool relattn::isSumOf(ExprContext &context, const Expr *sum,
                      const Expr *exponential, unsigned key,
                      Mismatch &refusal) {
  auto reduction = openOver(context, sum, key);
  if (!reduction || !isa<arith::AddFOp>(reduction->combiner)) {
    refusal.set("the probabilities are not divided by a sum over the keys",
                sum);
    return false;
  }
  std::optional<double> start = getFloat(skipFloatCasts(reduction->init));
  if (!start || *start != 0.0) {
    refusal.set("the sum does not start at zero", reduction->op);
    return false;
  }
  if (skipFloatCasts(context.resolveSplits(reduction->value)) !=
      skipFloatCasts(context.resolveSplits(exponential))) {
    refusal.set("the sum is of another tensor", reduction->op);
    return false;
  }
  return true;
}

/// The maximum behind guards against -inf.
static const Expr *skipMaximumGuards(const Expr *expr) {
  while (true) {
    expr = skipFloatCasts(expr);
    const Expr *next = nullptr;
    if (expr->is("arith.maximumf") || expr->is("arith.maxnumf")) {
      for (unsigned i : {0u, 1u})
        if (isLowest(expr->operands[i]))
          next = expr->operands[1 - i];
    } else if (expr->is("arith.select")) {
      // max == -inf ? 0 : max
      for (unsigned i : {1u, 2u}) {
        std::optional<double> zero = getFloat(expr->operands[i]);
        const Expr *condition = expr->operands[0];
        const Expr *other = expr->operands[3 - i];
        if (zero && *zero == 0.0 && condition->is("arith.cmpf") &&
            llvm::is_contained(condition->operands, other) &&
            llvm::any_of(condition->operands, isMinusInfinity))
          next = other;
      }
    }
    if (!next)
      return expr;
    expr = next;
  }
}

/// Checks that `maximum` is the maximum of `scores` over `key`.
static bool isMaximumOf(ExprContext &context, const Expr *maximum,
                        const Expr *scores, unsigned key, Mismatch &refusal) {
  auto reduction = openOver(context, skipMaximumGuards(maximum), key);
  bool isMaximum =
      reduction && isa<arith::MaximumFOp, arith::MaxNumFOp, arith::SelectOp>(
                       reduction->combiner);
  if (!isMaximum) {
    refusal.set("what is subtracted is no maximum over the keys", maximum);
    return false;
  }
  if (!isLowest(reduction->init)) {
    refusal.set("the maximum does not start at -inf", reduction->op);
    return false;
  }
  if (skipFloatCasts(context.resolveSplits(reduction->value)) !=
      skipFloatCasts(context.resolveSplits(scores))) {
    refusal.set("the maximum is of another tensor", reduction->op);
    return false;
  }
  return true;
}

/// `expr` / log2(e), for exponents of exp2.
static const Expr *matchLog2e(const Expr *expr) {
  expr = skipFloatCasts(expr);
  if (!expr->is("arith.mulf"))
    return nullptr;
  for (unsigned i : {0u, 1u})
    if (const Expr *factor = skipFloatCasts(expr->operands[i]);
        std::optional<double> number = getFloat(factor)) {
      // To the precision of its type; f64 programs write f32's number as well.
      double epsilon = std::ldexp(
          1.0, -int(std::min(cast<FloatType>(factor->type).getFPMantissaWidth(),
                             17u)));
      if (std::abs(*number - llvm::numbers::log2e) < 2 * epsilon)
        return expr->operands[1 - i];
    }
  return nullptr;
}

/// The scores and the maximum of exp(scores - maximum).
static std::optional<std::pair<const Expr *, const Expr *>>
matchExponent(const Expr *expr, Mismatch &refusal) {
  const Expr *difference = nullptr;
  if (expr->is("math.exp")) {
    difference = skipFloatCasts(expr->operands[0]);
  } else if (expr->is("math.exp2")) {
    difference = matchLog2e(expr->operands[0]);
    const Expr *exponent = skipFloatCasts(expr->operands[0]);
    if (!difference && exponent->is("arith.subf")) {
      const Expr *scores = matchLog2e(exponent->operands[0]);
      const Expr *maximum = matchLog2e(exponent->operands[1]);
      if (scores && maximum)
        return std::make_pair(scores, maximum);
    }
    if (!difference) {
      refusal.set("the exponent of exp2 has no factor log2(e)", expr);
      return std::nullopt;
    }
    difference = skipFloatCasts(difference);
  } else {
    return std::nullopt;
  }
  if (!difference->is("arith.subf")) {
    refusal.set("no maximum is subtracted before the exponential", expr);
    return std::nullopt;
  }
  return std::make_pair(difference->operands[0], difference->operands[1]);
}

/// Whether `condition` says that every score of the row is -inf.
static bool isAllHidden(ExprContext &context, const Expr *condition,
                        const Expr *scores, unsigned key) {
  auto reduction = openOver(context, condition, key);
  if (!reduction || !isa<arith::AndIOp>(reduction->combiner))
    return false;
  const Expr *compare = reduction->value;
  if (!compare->is("arith.cmpf") ||
      static_cast<arith::CmpFPredicate>(compare->predicate) !=
          arith::CmpFPredicate::OEQ)
    return false;
  for (unsigned i : {0u, 1u})
    if (isMinusInfinity(compare->operands[i]) &&
        skipFloatCasts(context.resolveSplits(compare->operands[1 - i])) ==
            skipFloatCasts(context.resolveSplits(scores)))
      return true;
  return false;
}

/// Whether an exponential, or a softmax, is part of `expr`.
static bool containsExponential(const Expr *expr) {
  return findNode(expr, [](const Expr *node) {
    return node->is("math.exp") || node->is("math.exp2") ||
           (node->kind == Expr::Kind::Element && node->tensor &&
            node->tensor.getDefiningOp<linalg::SoftmaxOp>());
  });
}

std::optional<SoftmaxMatch> relattn::matchSoftmax(ExprContext &context,
                                                  const Expr *probabilities,
                                                  unsigned key,
                                                  Mismatch &refusal) {
  const Expr *expr = skipFloatCasts(probabilities);
  const Expr *allHidden = nullptr;
  if (expr->is("arith.select")) {
    // Safe softmax: a row that sees nothing is 0.
    std::optional<double> zero = getFloat(expr->operands[1]);
    if (zero && *zero == 0.0) {
      allHidden = expr->operands[0];
      expr = skipFloatCasts(expr->operands[2]);
    }
  }
  SoftmaxMatch match;
  if (expr->kind == Expr::Kind::Element && expr->tensor) {
    auto softmax = expr->tensor.getDefiningOp<linalg::SoftmaxOp>();
    if (!softmax)
      return std::nullopt;
    const Expr *index = expr->operands[softmax.getDimension()];
    if (index->kind != Expr::Kind::Index ||
        index->linear.getVar() != std::optional(key)) {
      refusal.set("the softmax is not over the keys", softmax);
      return std::nullopt;
    }
    match.scores = context.element(softmax.getInput(), expr->operands,
                                   ExprContext::Depth::Full);
  } else {
    const Expr *exponential = expr;
    const Expr *sum = nullptr;
    if (auto quotient = matchQuotient(expr))
      std::tie(exponential, sum) = *quotient;
    auto exponent = matchExponent(exponential, refusal);
    if (!exponent) {
      if (!refusal && containsExponential(expr))
        refusal.set("something stands between softmax and value product", expr);
      return std::nullopt;
    }
    Variables variables = getVariables(exponent->second);
    if (variables.contains(key)) {
      refusal.set("what is subtracted depends on the key", exponential);
      return std::nullopt;
    }
    if (!isMaximumOf(context, exponent->second, exponent->first, key, refusal))
      return std::nullopt;
    if (sum && !isSumOf(context, sum, exponential, key, refusal))
      return std::nullopt;
    match.scores = exponent->first;
    match.isUnnormalised = !sum;
    match.exponential = exponential;
  }
  if (allHidden && !isAllHidden(context, allHidden, match.scores, key)) {
    refusal.set("a choice between softmax and value product",
                skipFloatCasts(probabilities));
    return std::nullopt;
  }
  match.isSafe = allHidden != nullptr;
  return match;
}

const Expr *relattn::matchLogSumExp(ExprContext &context, const Expr *expr,
                                    unsigned key) {
  expr = skipFloatCasts(expr);
  if (!expr->is("arith.addf"))
    return nullptr;
  for (unsigned i : {0u, 1u}) {
    const Expr *logarithm = skipFloatCasts(expr->operands[i]);
    if (!logarithm->is("math.log"))
      continue;
    Mismatch ignored;
    const Expr *sum = logarithm->operands[0];
    auto reduction = openOver(context, sum, key);
    if (!reduction)
      continue;
    const Expr *exponential = skipFloatCasts(reduction->value);
    auto exponent = matchExponent(exponential, ignored);
    // The maximum that is added back is the one that was subtracted, guards
    // against -inf included.
    if (exponent &&
        skipFloatCasts(exponent->second) ==
            skipFloatCasts(expr->operands[1 - i]) &&
        isMaximumOf(context, exponent->second, exponent->first, key, ignored) &&
        isSumOf(context, sum, exponential, key, ignored))
      return exponent->first;
  }
  return nullptr;
}
