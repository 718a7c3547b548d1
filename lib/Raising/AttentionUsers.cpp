//===- AttentionUsers.cpp - Who else reads the scores ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What lies between the two products goes only if nothing else reads it. A
// log-sum-exp, which training and merging of partial results need, is the op's
// second result.
//
//===----------------------------------------------------------------------===//

#include "AttentionMatcher.h"
#include "Materialize.h"
#include "SoftmaxMatch.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

/// The op that holds `op` in the block of `root`, or null.
static Operation *getInBlockOf(Operation *root, Operation *op) {
  return root->getBlock()->findAncestorOpInBlock(*op);
}

/// Whether `op` is elementwise and adds floats: told without opening anything.
static bool mayAddLogarithm(Operation *op) {
  if (op->getNumResults() != 1 ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return false;
  if (isa<arith::AddFOp>(op))
    return true;
  auto linalgOp = dyn_cast<LinalgOp>(op);
  return linalgOp && linalgOp.getNumReductionLoops() == 0 &&
         llvm::any_of(*linalgOp.getBlock(), llvm::IsaPred<arith::AddFOp>);
}

/// Adds to `values` what each variable of `from` must be for it to equal `to`:
/// a digit of one number may be several digits of the other.
static bool unify(const Linear &from, const Linear &to,
                  llvm::DenseMap<unsigned, Linear> &values) {
  auto assign = [&](unsigned var, const Linear &value) {
    return values.try_emplace(var, value).first->second == value;
  };
  if (std::optional<unsigned> var = from.getVar())
    return assign(*var, to);
  auto digits = llvm::to_vector(from.terms);
  llvm::sort(digits, llvm::less_second());
  if (from.constant != to.constant ||
      (digits.empty() ? !to.isConstant() : digits[0].second <= 0))
    return false;
  size_t numAssigned = 0;
  for (auto [i, digit] : llvm::enumerate(digits)) {
    auto [var, unit] = digit;
    Linear value;
    for (auto [other, coefficient] : to.terms) {
      bool isBelowNext =
          i + 1 == digits.size() || coefficient < digits[i + 1].second;
      if (coefficient < unit || !isBelowNext || coefficient % unit != 0)
        continue;
      value.terms.push_back({other, coefficient / unit});
      ++numAssigned;
    }
    if (!assign(var, value))
      return false;
  }
  return numAssigned == to.terms.size();
}

/// Whether `op` computes the log-sum-exp of `scores`, which `product` is part
/// of; adds it to the match.
bool Matcher::isLogSumExp(AttentionMatch &match, Operation *op,
                          const Expr *product, const Expr *scores) {
  if (!mayAddLogarithm(op))
    return false;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<const Expr *> indices;
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    indices.push_back(context.getIndex(
        size == 1 ? Linear()
                  : Linear::var(context.addVariable(op->getResult(0), dim)),
        {}));
  const Expr *own = matchLogSumExp(
      context,
      context.element(op->getResult(0), indices, ExprContext::Depth::Full),
      *match.variables[AttentionOp::N]);
  if (!own)
    return false;
  // The same scores, for some values of the variables.
  own = context.resolveSplits(own);
  const Expr *ownProduct = findNode(own, [&](const Expr *node) {
    return node->kind == Expr::Kind::Element && node->tensor &&
           node->tensor.getDefiningOp() == match.scoresOp;
  });
  if (!ownProduct)
    return false;
  llvm::DenseMap<unsigned, Linear> values;
  for (auto [from, to] : llvm::zip(ownProduct->operands, product->operands))
    if (from->kind != Expr::Kind::Index || to->kind != Expr::Kind::Index ||
        !unify(from->linear, to->linear, values))
      return false;
  if (context.substitute(own, values) != scores)
    return false;
  Type element = type.getElementType();
  Type accumulator = AttentionOp::getAccumulatorType(match.query->type);
  if (element != accumulator &&
      element.getIntOrFloatBitWidth() >= accumulator.getIntOrFloatBitWidth())
    return false;
  // Each dimension of the output but the value's, in any order.
  LogSumExpUse use{op, {}};
  Variables missing(match.output.begin(), match.output.end());
  if (auto e = match.variables[AttentionOp::E])
    missing.erase(*e);
  for (auto [index, size] : llvm::zip(indices, type.getShape())) {
    const Expr *resolved = context.resolveSplits(
        context.substitute(context.resolveSplits(index), values));
    if (resolved->kind != Expr::Kind::Index ||
        !readDigits(context, resolved->linear, size, use.digits.emplace_back()))
      return false;
    for (unsigned var : use.digits.back())
      if (!missing.erase(var))
        return false;
  }
  if (!missing.empty())
    return false;
  match.logSumExps.push_back(std::move(use));
  return true;
}

/// Whether all that is computed from `op` can stand behind the root.
bool Matcher::canComeAfterRoot(const AttentionMatch &match, Operation *op) {
  llvm::SetVector<Operation *> slice;
  getForwardSlice(op, &slice);
  return llvm::all_of(slice, [&](Operation *reader) {
    Operation *inBlock = getInBlockOf(match.root, reader);
    return inBlock && inBlock != match.root &&
           (!inBlock->isBeforeInBlock(match.root) ||
            isMemoryEffectFree(inBlock));
  });
}

/// Walks from the scores to the root. Every other way must end in a
/// log-sum-exp.
bool Matcher::readUsers(AttentionMatch &match, const Expr *product,
                        const Expr *scores) {
  llvm::SetVector<Operation *> between;
  between.insert(match.scoresOp);
  for (size_t i = 0; i < between.size(); ++i) {
    Operation *op = between[i];
    bool isPure = isMemoryEffectFree(op) || match.proven.contains(op);
    if (!isPure || op->hasTrait<OpTrait::IsTerminator>()) {
      refusal.set("the scores or probabilities have another user", op);
      return false;
    }
    for (Operation *user : op->getUsers()) {
      // A use inside of a body is one of the op around it. A size is no value,
      // and can be told otherwise.
      Operation *inBlock = getInBlockOf(match.root, user);
      if (!inBlock) {
        refusal.set("the scores or probabilities have another user", user);
        return false;
      }
      bool isRead = llvm::any_of(match.logSumExps,
                                 [&](auto &use) { return use.op == inBlock; });
      if (inBlock == match.root || isRead || isa<tensor::DimOp>(user))
        continue;
      if (!between.contains(inBlock) &&
          isLogSumExp(match, inBlock, product, scores)) {
        if (!canComeAfterRoot(match, inBlock)) {
          refusal.set("the log-sum-exp is read before the value product",
                      inBlock);
          return false;
        }
        continue;
      }
      between.insert(inBlock);
    }
  }
  return true;
}
