//===- ElementExpr.cpp - What an element of a tensor is computed from -----===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From values to expressions. See the header.
//
//===----------------------------------------------------------------------===//

#include "ElementExpr.h"
#include "DimensionSize.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

const Expr *ExprContext::scalar(Value value) {
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)))
    if (auto typed = dyn_cast<TypedAttr>(constant))
      return getNumber(typed);
  Operation *op = value.getDefiningOp();
  if (auto extract = dyn_cast_or_null<tensor::ExtractOp>(op)) {
    SmallVector<const Expr *> indices;
    for (Value index : extract.getIndices())
      indices.push_back(scalar(index));
    const Expr *read = element(extract.getTensor(), indices, Depth::Full);
    if (read->kind != Expr::Kind::Element ||
        read->tensor != extract.getTensor() ||
        !isa<IntegerType, IndexType>(value.getType()))
      return read;
  }
  if (op && op->getNumResults() == 1 && op->getNumOperands() > 0 &&
      op->getNumRegions() == 0 &&
      isa<arith::ArithDialect, math::MathDialect, affine::AffineDialect>(
          op->getDialect())) {
    SmallVector<const Expr *> operands;
    for (Value operand : op->getOperands())
      operands.push_back(scalar(operand));
    return getApply(op, operands);
  }
  if (isa<IndexType>(value.getType()) ||
      (isa<IntegerType>(value.getType()) && !value.getType().isInteger(1))) {
    auto [it, isNew] = symbols.try_emplace(value, 0);
    if (isNew)
      it->second = addVariable(std::nullopt, value);
    return getIndex(Linear::var(it->second), value.getType());
  }
  return getElement(value, {});
}

const Expr *ExprContext::scalarInBody(Value value, Body &body) {
  if (auto it = body.known.find(value); it != body.known.end())
    return it->second;
  const Expr *result = nullptr;
  auto argument = dyn_cast<BlockArgument>(value);
  Operation *op = value.getDefiningOp();
  if (argument && argument.getOwner() == body.op.getBlock()) {
    result =
        readOperand(body.op, body.op->getOpOperand(argument.getArgNumber()),
                    body.loops, body.depth);
  } else if (!op || op->getBlock() != body.op.getBlock()) {
    result = scalar(value);
  } else if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    result = body.loops[index.getDim()];
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    SmallVector<const Expr *> indices;
    for (Value operand : extract.getIndices()) {
      const Expr *index = scalarInBody(operand, body);
      if (!index)
        return nullptr;
      indices.push_back(index);
    }
    result = element(extract.getTensor(), indices, body.depth);
  } else {
    if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
        !isMemoryEffectFree(op))
      return nullptr;
    SmallVector<const Expr *> operands;
    for (Value operand : op->getOperands()) {
      if (isa<ShapedType>(operand.getType()))
        return nullptr;
      const Expr *known = scalarInBody(operand, body);
      if (!known)
        return nullptr;
      operands.push_back(known);
    }
    result = op->hasTrait<OpTrait::ConstantLike>() ? scalar(value)
                                                   : getApply(op, operands);
  }
  body.known[value] = result;
  return result;
}

const Expr *ExprContext::readOperand(LinalgOp op, OpOperand &operand,
                                     ArrayRef<const Expr *> loops,
                                     Depth depth) {
  if (!isa<ShapedType>(operand.get().getType()))
    return scalar(operand.get());
  SmallVector<const Expr *> indices;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      if (!loops[dim.getPosition()])
        return nullptr;
      indices.push_back(loops[dim.getPosition()]);
    } else if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      indices.push_back(getIndex(Linear::get(constant.getValue()), {}));
    } else {
      // Sums of loops and constants.
      std::optional<Linear> linear = getAffine(expr, loops);
      if (!linear)
        return nullptr;
      indices.push_back(getIndex(*linear, {}));
    }
  }
  return element(operand.get(), indices, depth);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

std::optional<std::pair<Linear, Linear>>
ExprContext::split(const Linear &linear, int64_t inner) {
  if (inner == 1)
    return std::make_pair(linear, Linear::get(0));
  // What was split before is split here too.
  for (auto [var, coefficient] : linear.terms) {
    auto known = splitValues.find(var);
    if (known != splitValues.end()) {
      Linear finer = linear.plus(Linear::var(var), -coefficient)
                         .plus(known->second, coefficient);
      return split(finer, inner);
    }
  }
  Linear quotient, remainder;
  quotient.constant = linear.constant >= 0
                          ? linear.constant / inner
                          : -((-linear.constant + inner - 1) / inner);
  remainder.constant = linear.constant - quotient.constant * inner;
  int64_t low = remainder.constant, high = remainder.constant;
  bool isBounded = true;
  for (auto [var, coefficient] : linear.terms) {
    if (coefficient % inner == 0) {
      quotient.terms.push_back({var, coefficient / inner});
      continue;
    }
    remainder.terms.push_back({var, coefficient});
    std::optional<int64_t> size = variables[var].size;
    if (!size) {
      isBounded = false;
      continue;
    }
    (coefficient > 0 ? high : low) += coefficient * (*size - 1);
  }
  if (isBounded && low >= 0 && high < inner)
    return std::make_pair(quotient, remainder);
  // A variable that reaches beyond: two from here on.
  for (auto [var, coefficient] : remainder.terms) {
    std::optional<int64_t> size = variables[var].size;
    if (coefficient <= 0 || inner % coefficient != 0 || !size ||
        variables[var].symbol)
      continue;
    int64_t part = inner / coefficient;
    if (*size <= part || *size % part != 0)
      continue;
    unsigned outerVar = addVariable(*size / part);
    unsigned innerVar = addVariable(part);
    splitValues[var] = Linear{{{outerVar, part}, {innerVar, 1}}, 0};
    return split(linear, inner);
  }
  return std::nullopt;
}

const Expr *ExprContext::resolveSplits(const Expr *expr) {
  // A child may have been split again.
  while (true) {
    const Expr *next = substitute(expr, splitValues);
    if (next == expr)
      return expr;
    expr = next;
  }
}

bool ExprContext::bindLoops(LinalgOp op, AffineMap map,
                            ArrayRef<const Expr *> indices,
                            SmallVectorImpl<const Expr *> &loops) {
  loops.assign(op.getNumLoops(), nullptr);
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (auto [i, size] : llvm::enumerate(sizes))
    if (size == 1)
      loops[i] = getIndex(Linear::get(0), {});
  for (auto [expr, index] : llvm::zip(map.getResults(), indices)) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      if (!loops[dim.getPosition()])
        loops[dim.getPosition()] = index;
    } else if (!isa<AffineConstantExpr>(expr)) {
      return false;
    }
  }
  return true;
}

/// Whether the body of `op` yields one of its arguments as it is.
static bool isCopy(LinalgOp op) {
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  return yield && yield->getNumOperands() == 1 &&
         isa<BlockArgument>(yield->getOperand(0));
}

static const Linear *getLinear(const Expr *expr) {
  return expr->kind == Expr::Kind::Index ? &expr->linear : nullptr;
}

/// Splits a row-major index over the static dimensions `dims` of `type`.
bool ExprContext::splitDown(Linear index, RankedTensorType type,
                            ArrayRef<int64_t> dims,
                            SmallVectorImpl<const Expr *> &source) {
  for (int64_t dim : llvm::reverse(dims.drop_front())) {
    if (type.isDynamicDim(dim))
      return false;
    auto parts = split(index, type.getDimSize(dim));
    if (!parts)
      return false;
    source[dim] = getIndex(parts->second, {});
    index = parts->first;
  }
  source[dims.front()] = getIndex(index, {});
  return true;
}

std::optional<ExprContext::Indices>
ExprContext::getSourceOf(tensor::ExpandShapeOp op,
                         ArrayRef<const Expr *> indices) {
  Indices source;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    // Row-major: the outer sizes do not matter.
    Linear sum;
    const Expr *only = nullptr;
    int64_t stride = 1, live = 0;
    for (int64_t dim : llvm::reverse(group)) {
      int64_t size = op.getResultType().getDimSize(dim);
      const Linear *linear = getLinear(indices[dim]);
      if (!linear || !(*linear == Linear::get(0))) {
        ++live;
        only = indices[dim];
        if (ShapedType::isDynamic(stride) || (!linear && stride != 1))
          return std::nullopt;
        if (linear)
          sum = sum.plus(*linear, stride);
      }
      if (size != 1)
        stride = ShapedType::isDynamic(size) || ShapedType::isDynamic(stride)
                     ? ShapedType::kDynamic
                     : stride * size;
    }
    bool isLinear = llvm::all_of(
        group, [&](int64_t dim) { return getLinear(indices[dim]); });
    if (live > 1 && !isLinear)
      return std::nullopt;
    source.push_back(live == 1 && !isLinear ? only : getIndex(sum, {}));
  }
  return source;
}

std::optional<ExprContext::Indices>
ExprContext::getSourceOf(tensor::CollapseShapeOp op,
                         ArrayRef<const Expr *> indices) {
  RankedTensorType type = op.getSrcType();
  // Dimensions in no group have size 1: the result has rank 0.
  Indices source(type.getRank(), getIndex(Linear::get(0), {}));
  for (auto [index, group] : llvm::zip(indices, op.getReassociationIndices())) {
    SmallVector<int64_t> live;
    for (int64_t dim : group)
      if (type.getDimSize(dim) != 1)
        live.push_back(dim);
    if (live.size() == 1)
      source[live[0]] = index;
    if (live.size() > 1 && (!getLinear(index) ||
                            !splitDown(*getLinear(index), type, live, source)))
      return std::nullopt;
  }
  return source;
}

std::optional<ExprContext::Indices>
ExprContext::getSourceOf(tensor::ReshapeOp op, ArrayRef<const Expr *> indices) {
  // The last dimensions stay, as far as their sizes are provably the same; what
  // stands before is static and keeps its order.
  auto type = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto target = dyn_cast<RankedTensorType>(op.getResult().getType());
  if (!type || !target)
    return std::nullopt;
  int64_t from = type.getRank(), to = target.getRank();
  Indices source(from);
  while (from > 0 && to > 0 &&
         traceSize(op.getSource(), from - 1) ==
             traceSize(op.getResult(), to - 1))
    source[--from] = indices[--to];
  Linear sum;
  int64_t stride = 1;
  for (int64_t dim = to - 1; dim >= 0; --dim) {
    if (target.isDynamicDim(dim) || !getLinear(indices[dim]))
      return std::nullopt;
    sum = sum.plus(*getLinear(indices[dim]), stride);
    stride *= target.getDimSize(dim);
  }
  auto rest = llvm::to_vector(llvm::seq<int64_t>(0, from));
  if (!rest.empty() &&
      (type.isDynamicDim(0) || !splitDown(sum, type, rest, source)))
    return std::nullopt;
  return source;
}

std::optional<ExprContext::Indices>
ExprContext::getSourceOf(tensor::ExtractSliceOp op,
                         ArrayRef<const Expr *> indices) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Indices source;
  unsigned next = 0;
  for (auto [dim, offset, stride] :
       llvm::enumerate(op.getMixedOffsets(), op.getMixedStrides())) {
    const Expr *base =
        isa<Attribute>(offset)
            ? getIndex(Linear::get(*getConstantIntValue(offset)), {})
            : scalar(cast<Value>(offset));
    std::optional<int64_t> step = getConstantIntValue(stride);
    if (!step || !getLinear(base))
      return std::nullopt;
    if (dropped.test(dim)) {
      source.push_back(base);
      continue;
    }
    const Expr *index = indices[next++];
    if (*step == 1 && *getLinear(base) == Linear::get(0))
      source.push_back(index);
    else if (getLinear(index))
      source.push_back(
          getIndex(getLinear(base)->plus(*getLinear(index), *step), {}));
    else
      return std::nullopt;
  }
  return source;
}

const Expr *ExprContext::elementOfLinalg(LinalgOp op, OpResult result,
                                         ArrayRef<const Expr *> indices,
                                         Depth depth) {
  if (depth == Depth::Full && isSumOfProducts(op))
    return selectRow(op, result, indices);
  if (op.getNumReductionLoops() != 0 || (depth == Depth::Layout && !isCopy(op)))
    return nullptr;
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  SmallVector<const Expr *> loops;
  OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
  if (!yield || !bindLoops(op, op.getMatchingIndexingMap(init), indices, loops))
    return nullptr;
  for (Operation &inner : *op.getBlock())
    if (isa<cf::AssertOp>(inner))
      asserting.insert(op);
  Body body(op, loops, depth);
  return scalarInBody(yield.getOperand(result.getResultNumber()), body);
}

const Expr *ExprContext::elementOfOp(Operation *op, OpResult result,
                                     ArrayRef<const Expr *> indices,
                                     Depth depth) {
  if (auto linalgOp = dyn_cast<LinalgOp>(op))
    return elementOfLinalg(linalgOp, result, indices, depth);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return element(cast.getSource(), indices, depth);
  std::optional<std::optional<Indices>> source =
      llvm::TypeSwitch<Operation *, std::optional<std::optional<Indices>>>(op)
          .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                tensor::ReshapeOp, tensor::ExtractSliceOp>(
              [&](auto move) { return getSourceOf(move, indices); })
          .Default(std::nullopt);
  if (source)
    return *source ? element(op->getOperand(0), **source, depth) : nullptr;
  if (depth == Depth::Layout)
    return nullptr;
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return scalar(splat.getInput());
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op))
    return elements.getElements().size() == 1
               ? scalar(elements.getElements()[0])
               : nullptr;
  if (op->hasTrait<OpTrait::Elementwise>() && op->getNumResults() == 1 &&
      isMemoryEffectFree(op) && op->getNumRegions() == 0 &&
      isa<arith::ArithDialect, math::MathDialect>(op->getDialect())) {
    SmallVector<const Expr *> operands;
    for (Value operand : op->getOperands())
      operands.push_back(isa<ShapedType>(operand.getType())
                             ? element(operand, indices, depth)
                             : scalar(operand));
    return getApply(op, operands);
  }
  return nullptr;
}

const Expr *ExprContext::readProgression(DenseElementsAttr values,
                                         ArrayRef<const Expr *> indices) {
  if (!isa<IntegerType>(values.getElementType()) ||
      values.getElementType().isInteger(1))
    return nullptr;
  std::optional<unsigned> moving;
  int64_t base = 0, stride = 1, step = 1, length = 0;
  ArrayRef<int64_t> shape = values.getType().getShape();
  for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
    int64_t size = shape[dim];
    if (std::optional<int64_t> index = getInteger(indices[dim])) {
      base += *index * stride;
    } else {
      if (moving || indices[dim]->kind != Expr::Kind::Index)
        return nullptr;
      moving = dim;
      step = stride;
      length = size;
    }
    stride *= size;
  }
  if (!moving || length < 2 || base < 0 ||
      base + (length - 1) * step >= values.getNumElements())
    return nullptr;
  auto at = [&](int64_t i) {
    return values.getValues<APInt>()[base + i * step].getSExtValue();
  };
  int64_t slope = at(1) - at(0);
  for (int64_t i = 1; i < length; ++i)
    if (at(i) - at(i - 1) != slope)
      return nullptr;
  Linear result = Linear().plus(indices[*moving]->linear, slope);
  result.constant += at(0);
  return getIndex(result, {});
}

const Expr *ExprContext::element(Value tensor, ArrayRef<const Expr *> indices,
                                 Depth depth) {
  auto type = cast<ShapedType>(tensor.getType());
  // A dimension of size 1 has one index.
  SmallVector<const Expr *> at(indices.begin(), indices.end());
  if (type.hasRank())
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      if (size == 1)
        at[i] = getIndex(Linear::get(0), {});
  DenseElementsAttr values;
  if (depth == Depth::Full && matchPattern(tensor, m_Constant(&values))) {
    if (values.isSplat())
      return getNumber(values.getSplatValue<TypedAttr>());
    // One element, if the indices are numbers.
    uint64_t position = 0;
    bool isKnown = true;
    for (auto [expr, size] : llvm::zip(at, type.getShape())) {
      std::optional<int64_t> index = getInteger(expr);
      if (!index || *index < 0 || *index >= size) {
        isKnown = false;
        break;
      }
      position = position * size + *index;
    }
    if (isKnown)
      return getNumber(values.getValues<TypedAttr>()[position]);
    if (const Expr *iota = readProgression(values, at))
      return iota;
  }
  // Values with several readers are looked through once.
  auto [it, isNew] =
      elements.try_emplace({tensor.getAsOpaquePointer(), depth,
                            std::vector<const Expr *>(at.begin(), at.end())},
                           nullptr);
  if (!isNew && it->second)
    return it->second;
  const Expr *expr = nullptr;
  if (auto result = dyn_cast<OpResult>(tensor))
    expr = elementOfOp(result.getOwner(), result, at, depth);
  if (!expr)
    expr = getElement(tensor, at);
  return it->second = expr;
}
