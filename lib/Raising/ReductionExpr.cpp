//===- ReductionExpr.cpp - Reductions as expressions ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums, maxima and products, opened one at a time. See ElementExpr.h.
//
//===----------------------------------------------------------------------===//

#include "ElementExpr.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

/// A scalar before casts between floats.
static Value skipCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool relattn::isSumOfProducts(LinalgOp op) {
  if (op.getNumReductionLoops() == 0 || op->getNumResults() != 1)
    return false;
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  auto sum = yield
                 ? skipCasts(yield.getOperand(0)).getDefiningOp<arith::AddFOp>()
                 : arith::AddFOp();
  if (!sum)
    return false;
  return llvm::any_of(sum->getOperands(), [](Value operand) {
    return skipCasts(operand).getDefiningOp<arith::MulFOp>() != nullptr;
  });
}

SmallVector<const Expr *> ExprContext::makeLoops(LinalgOp op) {
  SmallVector<const Expr *> loops;
  for (auto [loop, size] : llvm::enumerate(op.getStaticLoopRanges())) {
    if (size == 1) {
      loops.push_back(getIndex(Linear::get(0), {}));
      continue;
    }
    unsigned var = addVariable(
        ShapedType::isDynamic(size) ? std::nullopt : std::optional(size));
    // An operand with this dimension says its size.
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
        auto position = dyn_cast<AffineDimExpr>(expr);
        if (position && position.getPosition() == loop) {
          variables[var].sizedBy = operand.get();
          variables[var].sizedByDim = dim;
        }
      }
    }
    loops.push_back(getIndex(Linear::var(var), {}));
  }
  return loops;
}

std::optional<ExprContext::Reduction>
ExprContext::openReduction(LinalgOp op, unsigned number,
                           ArrayRef<const Expr *> loops) {
  Reduction reduction;
  reduction.op = op;
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  if (!yield)
    return std::nullopt;
  OpOperand *init = op.getDpsInitOperand(number);
  BlockArgument accumulator = op.getMatchingBlockArgument(init);
  Operation *combiner = yield.getOperand(number).getDefiningOp();
  if (!combiner || combiner->getBlock() != op.getBlock())
    return std::nullopt;
  Value combined;
  if (auto select = dyn_cast<arith::SelectOp>(combiner)) {
    // A maximum by comparison: x > acc ? x : acc, or acc > x ? acc : x, or the
    // same with the comparison turned round.
    auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
    if (!compare)
      return std::nullopt;
    using P = arith::CmpFPredicate;
    P predicate = compare.getPredicate();
    bool isGreater = predicate == P::OGT || predicate == P::UGT ||
                     predicate == P::OGE || predicate == P::UGE;
    bool isLess = predicate == P::OLT || predicate == P::ULT ||
                  predicate == P::OLE || predicate == P::ULE;
    Value larger = isGreater ? compare.getLhs() : compare.getRhs();
    Value smaller = isGreater ? compare.getRhs() : compare.getLhs();
    if ((!isGreater && !isLess) || select.getTrueValue() != larger ||
        select.getFalseValue() != smaller)
      return std::nullopt;
    if (larger != accumulator && smaller != accumulator)
      return std::nullopt;
    combined = larger == accumulator ? smaller : larger;
  } else {
    if (combiner->getNumOperands() != 2)
      return std::nullopt;
    for (unsigned i : {0u, 1u})
      if (combiner->getOperand(i) == accumulator)
        combined = combiner->getOperand(1 - i);
    if (!combined)
      return std::nullopt;
  }
  reduction.combiner = combiner;
  Body body(op, loops, Depth::Full);
  // The accumulator is no number that the value may depend on.
  body.known[accumulator] = nullptr;
  for (auto [loop, iterator] : llvm::zip(loops, op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::reduction &&
        loop->kind == Expr::Kind::Index)
      if (std::optional<unsigned> var = loop->linear.getVar())
        reduction.bound.push_back(*var);
  reduction.init = readOperand(op, *init, loops, Depth::Full);
  if (!reduction.init)
    return std::nullopt;
  if (Operation *product = skipCasts(combined).getDefiningOp();
      isa<arith::AddFOp>(combiner) && isa_and_nonnull<arith::MulFOp>(product)) {
    for (unsigned i : {0u, 1u}) {
      Value factor = product->getOperand(i);
      reduction.factors[i] = scalarInBody(factor, body);
      if (!reduction.factors[i])
        return std::nullopt;
      auto argument = dyn_cast<BlockArgument>(skipCasts(factor));
      if (argument && argument.getOwner() == op.getBlock())
        reduction.leaves[i] =
            readOperand(op, op->getOpOperand(argument.getArgNumber()), loops,
                        Depth::Layout);
    }
  }
  reduction.value = scalarInBody(combined, body);
  if (!reduction.value)
    return std::nullopt;
  return reduction;
}

std::optional<ExprContext::Reduction>
ExprContext::openReduction(const Expr *leaf) {
  if (leaf->kind != Expr::Kind::Element)
    return std::nullopt;
  auto result = dyn_cast<OpResult>(leaf->tensor);
  auto op = result ? dyn_cast<LinalgOp>(result.getOwner()) : LinalgOp();
  if (!op || op.getNumReductionLoops() == 0)
    return std::nullopt;
  SmallVector<const Expr *> bound;
  OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
  if (!bindLoops(op, op.getMatchingIndexingMap(init), leaf->operands, bound))
    return std::nullopt;
  SmallVector<const Expr *> loops = makeLoops(op);
  for (auto [loop, index] : llvm::zip(loops, bound))
    if (index)
      loop = index;
  return openReduction(op, result.getResultNumber(), loops);
}

/// The number that a one-hot element is where its comparison holds, if it is 0
/// elsewhere: 1, as conversions of a boolean and a choice of two numbers write
/// it. A signed conversion gives -1.
static std::optional<double> getHotValue(const Expr *expr,
                                         const Expr *&comparison) {
  if (expr->is("arith.cmpi")) {
    comparison = expr;
    return 1.0;
  }
  if (expr->is("arith.select") && expr->operands[0]->is("arith.cmpi")) {
    comparison = expr->operands[0];
    std::optional<double> no = getFloat(expr->operands[2]);
    if (no && *no == 0.0)
      return getFloat(expr->operands[1]);
    return std::nullopt;
  }
  bool isUnsigned = expr->is("arith.uitofp") || expr->is("arith.extui");
  bool isSigned = expr->is("arith.sitofp") || expr->is("arith.extsi");
  if (!isUnsigned && !isSigned && !expr->is("arith.truncf") &&
      !expr->is("arith.extf"))
    return std::nullopt;
  std::optional<double> value = getHotValue(expr->operands[0], comparison);
  if (value && isSigned && expr->operands[0]->is("arith.cmpi"))
    return -*value;
  return value;
}

/// Whether a factor of a sum of products looks one-hot: a comparison of two
/// integers as a number, here or in the op that computes it. Cheap, and looks
/// no further: products of other things are not opened at all.
static bool mayBeOneHot(Value value, Block *body) {
  for (int steps = 0; steps < 8; ++steps) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto op = dyn_cast<LinalgOp>(argument.getOwner()->getParentOp());
      if (!op || argument.getOwner() != body)
        return false;
      value = op->getOperand(argument.getArgNumber());
      body = nullptr;
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (isa<arith::CmpIOp>(op))
      return true;
    if (auto linalgOp = dyn_cast<LinalgOp>(op)) {
      auto yield =
          dyn_cast<linalg::YieldOp>(linalgOp.getBlock()->getTerminator());
      if (!yield || linalgOp.getNumReductionLoops() != 0)
        return false;
      body = linalgOp.getBlock();
      value = yield.getOperand(cast<OpResult>(value).getResultNumber());
      continue;
    }
    if (!isa<arith::UIToFPOp, arith::SIToFPOp, arith::ExtUIOp, arith::ExtSIOp,
             arith::ExtFOp, arith::TruncFOp, arith::SelectOp,
             tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
            op))
      return false;
    value = op->getOperand(0);
  }
  return false;
}

const Expr *ExprContext::selectRow(LinalgOp op, OpResult result,
                                   ArrayRef<const Expr *> indices) {
  // Which factor may be the one-hot one?
  auto yield = cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  Operation *sum = skipCasts(yield.getOperand(0)).getDefiningOp();
  Operation *product = nullptr;
  for (Value operand : sum->getOperands())
    if (auto factor = skipCasts(operand).getDefiningOp<arith::MulFOp>())
      product = factor;
  if (!product || llvm::none_of(product->getOperands(), [&](Value factor) {
        return mayBeOneHot(factor, op.getBlock());
      }))
    return nullptr;
  SmallVector<const Expr *> bound;
  OpOperand *init = op.getDpsInitOperand(0);
  if (!bindLoops(op, op.getMatchingIndexingMap(init), indices, bound))
    return nullptr;
  SmallVector<const Expr *> loops = makeLoops(op);
  for (auto [loop, index] : llvm::zip(loops, bound))
    if (index)
      loop = index;
  auto reduction = openReduction(op, result.getResultNumber(), loops);
  if (!reduction || !reduction->factors[0] || reduction->bound.size() != 1)
    return nullptr;
  std::optional<double> zero = getFloat(reduction->init);
  unsigned rowVar = reduction->bound[0];
  const Expr *row = getIndex(Linear::var(rowVar), {});
  for (unsigned i : {0u, 1u}) {
    const Expr *comparison = nullptr;
    std::optional<double> value =
        getHotValue(reduction->factors[i], comparison);
    if (!value || *value != 1.0 ||
        static_cast<arith::CmpIPredicate>(comparison->predicate) !=
            arith::CmpIPredicate::eq)
      continue;
    // Two linear integers are compared by their difference, with 0.
    SmallVector<std::pair<const Expr *, const Expr *>> sides = {
        {comparison->operands[0], comparison->operands[1]},
        {comparison->operands[1], comparison->operands[0]}};
    if (comparison->operands[0]->kind == Expr::Kind::Index &&
        getInteger(comparison->operands[1]) == 0) {
      const Linear &difference = comparison->operands[0]->linear;
      int64_t factor = difference.coefficient(rowVar);
      if (factor == 1 || factor == -1)
        sides.push_back(
            {getIndex(
                 Linear().plus(difference.plus(Linear::var(rowVar), -factor),
                               -factor),
                 {}),
             row});
    }
    for (auto [id, compared] : sides) {
      if (compared != row)
        continue;
      Variables used = getVariables(id);
      if (used.contains(rowVar))
        continue;
      // No row is hot outside of the table: 0, and nothing may be read there.
      std::optional<int64_t> rows = variables[rowVar].size;
      if (!rows)
        continue;
      const Expr *inside =
          getNamed("clamp", IndexType::get(op->getContext()), *rows, id);
      const Expr *read = reduction->factors[1 - i];
      read = getNamed("rowOrZero", read->type, *rows,
                      {id, replace(read, {{row, inside}})});
      // What it starts from is added.
      return zero && *zero == 0.0 ? read : getSum(reduction->init, read);
    }
  }
  return nullptr;
}
