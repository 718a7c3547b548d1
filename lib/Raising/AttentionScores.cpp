//===- AttentionScores.cpp - What the scores are made of ------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scale, terms and conditions between the product and the softmax.
//
//===----------------------------------------------------------------------===//

#include "AttentionMatcher.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

bool Matcher::isProduct(const Expr *leaf, unsigned key) {
  if (leaf->kind != Expr::Kind::Element || !leaf->tensor)
    return false;
  auto op = leaf->tensor.getDefiningOp<LinalgOp>();
  return op && isSumOfProducts(op) && getVariables(leaf).contains(key);
}

/// The products that may be that of queries and keys, the likeliest first: a
/// bias can be a product too (a one-hot one, or one of queries and positions),
/// of factors with fewer dimensions.
SmallVector<const Expr *> Matcher::findProducts(const Expr *scores,
                                                unsigned key) {
  auto countDimensions = [&](const Expr *product) {
    int count = 0;
    if (auto reduction = context.openReduction(product))
      for (const Expr *factor : reduction->factors)
        count += factor ? getVariables(factor).size() : 0;
    return count;
  };
  std::vector<std::tuple<int, size_t, const Expr *>> products;
  forEachNode(scores, [&](const Expr *node) {
    if (isProduct(node, key))
      products.push_back({-countDimensions(node), products.size(), node});
  });
  llvm::sort(products);
  return llvm::map_to_vector(
      products, [](const auto &product) { return std::get<2>(product); });
}

/// `expr` through the operations of `wrappers` (outermost first), each on one
/// number or alone.
const Expr *Matcher::wrap(const Expr *expr, ArrayRef<const Expr *> wrappers) {
  for (const Expr *wrapper : llvm::reverse(wrappers)) {
    SmallVector<const Expr *> operands;
    bool isPlaced = false;
    for (const Expr *operand : wrapper->operands) {
      bool isNumber = getFloat(operand).has_value();
      operands.push_back(isNumber || isPlaced ? operand : expr);
      isPlaced |= !isNumber;
    }
    expr = context.getApply(wrapper->op, operands);
  }
  return expr;
}

/// Adds what `expr` sums to the terms, each through the operations of
/// `wrappers`: (a + b) * c is a * c and b * c.
void Matcher::addParts(const Expr *expr, SmallVector<const Expr *> wrappers,
                       ScoresParts &parts) {
  if (expr->is("arith.addf") || expr->is("add")) {
    for (const Expr *operand : expr->operands)
      addParts(operand, wrappers, parts);
    return;
  }
  bool isScaled =
      (expr->is("arith.mulf") && (getFloat(expr->operands[0]).has_value() !=
                                  getFloat(expr->operands[1]).has_value())) ||
      (expr->is("arith.divf") && getFloat(expr->operands[1]).has_value());
  if (isScaled || expr->is("arith.extf") || expr->is("arith.truncf")) {
    wrappers.push_back(expr);
    unsigned inner = getFloat(expr->operands[0]).has_value() ? 1 : 0;
    return addParts(expr->operands[inner], wrappers, parts);
  }
  parts.terms.push_back(wrap(expr, wrappers));
}

bool Matcher::takeApart(const Expr *expr, const Expr *product,
                        SmallVector<const Expr *> wrappers,
                        ScoresParts &parts) {
  auto hasScores = [&](const Expr *part) {
    return findNode(part, [&](const Expr *node) { return node == product; });
  };
  if (expr == product && !parts.product) {
    parts.product = expr;
    for (const Expr *wrapper : wrappers) {
      for (const Expr *operand : wrapper->operands) {
        std::optional<double> factor = getFloat(operand);
        if (!factor)
          continue;
        if (wrapper->is("arith.mulf"))
          parts.scale *= *factor;
        else
          parts.scale /= *factor;
      }
    }
    // What the product starts from is a term as well.
    auto reduction = context.openReduction(expr);
    if (!reduction) {
      refusal.set("the scores are no product that can be read", expr);
      return false;
    }
    std::optional<double> start = getFloat(reduction->init);
    if (!start || *start != 0.0)
      addParts(reduction->init, wrappers, parts);
    return true;
  }
  if (!hasScores(expr)) {
    addParts(expr, wrappers, parts);
    return true;
  }
  if (expr->is("arith.addf") || expr->is("add")) {
    // The side with the scores first: the others are terms.
    unsigned first = hasScores(expr->operands[0]) ? 0 : 1;
    return takeApart(expr->operands[first], product, wrappers, parts) &&
           takeApart(expr->operands[1 - first], product, wrappers, parts);
  }
  bool isCast = expr->is("arith.extf") || expr->is("arith.truncf");
  if (isCast) {
    wrappers.push_back(expr);
    return takeApart(expr->operands[0], product, wrappers, parts);
  }
  if (expr->is("arith.mulf") || expr->is("arith.divf")) {
    for (unsigned i : {0u, 1u}) {
      if (i == 0 && expr->is("arith.divf"))
        continue;
      if (!getFloat(expr->operands[i]))
        continue;
      wrappers.push_back(expr);
      return takeApart(expr->operands[1 - i], product, wrappers, parts);
    }
  }
  if (expr->is("arith.select")) {
    for (unsigned i : {1u, 2u}) {
      std::optional<double> hidden =
          getFloat(skipFloatCasts(expr->operands[3 - i]));
      if (!hidden || !hasScores(expr->operands[i]))
        continue;
      if (!wrappers.empty() && llvm::any_of(wrappers, [](const Expr *wrapper) {
            return !wrapper->is("arith.extf") && !wrapper->is("arith.truncf");
          }))
        break;
      if (std::isinf(*hidden) && *hidden < 0) {
        parts.conditions.push_back({expr->operands[0], i == 1});
        return takeApart(expr->operands[i], product, wrappers, parts);
      }
      if (*hidden <= -1e30) {
        // The lowest number swallows any score that is added to it.
        const Expr *zero =
            context.getNumber(FloatAttr::get(cast<FloatType>(expr->type), 0.0));
        auto operands = llvm::to_vector(expr->operands);
        operands[i] = zero;
        parts.terms.push_back(
            wrap(context.getApply(expr->op, operands), wrappers));
        return takeApart(expr->operands[i], product, wrappers, parts);
      }
    }
  }
  refusal.set("something else than scale, bias and mask stands between the "
              "scores and the softmax",
              expr);
  return false;
}
