//===- ElementExpr.cpp - What an element of a tensor is computed from -----===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "ElementExpr.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Linear
//===----------------------------------------------------------------------===//

Linear Linear::plus(const Linear &other, int64_t factor) const {
  Linear sum;
  sum.constant = constant + factor * other.constant;
  size_t i = 0, j = 0;
  while (i < terms.size() || j < other.terms.size()) {
    if (j == other.terms.size() ||
        (i < terms.size() && terms[i].first < other.terms[j].first)) {
      sum.terms.push_back(terms[i++]);
      continue;
    }
    unsigned id = other.terms[j].first;
    int64_t coefficient = factor * other.terms[j++].second;
    if (i < terms.size() && terms[i].first == id)
      coefficient += terms[i++].second;
    if (coefficient != 0)
      sum.terms.push_back({id, coefficient});
  }
  return sum;
}

int64_t Linear::coefficient(unsigned id) const {
  for (auto [var, coefficient] : terms)
    if (var == id)
      return coefficient;
  return 0;
}

std::optional<unsigned> Linear::getVar() const {
  if (terms.size() == 1 && terms[0].second == 1 && constant == 0)
    return terms[0].first;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

void Expr::Profile(llvm::FoldingSetNodeID &id) const {
  id.AddInteger(static_cast<unsigned>(kind));
  id.AddPointer(type.getAsOpaquePointer());
  id.AddPointer(number.getAsOpaquePointer());
  for (auto [var, coefficient] : linear.terms) {
    id.AddInteger(var);
    id.AddInteger(coefficient);
  }
  id.AddInteger(linear.constant);
  id.AddString(name);
  id.AddInteger(predicate);
  id.AddPointer(tensor.getAsOpaquePointer());
  for (const Expr *operand : operands)
    id.AddPointer(operand);
}

const Expr *ExprContext::unique(Expr &expr) {
  llvm::FoldingSetNodeID id;
  expr.Profile(id);
  void *position;
  if (Expr *known = set.FindNodeOrInsertPos(id, position))
    return known;
  nodes.push_back(std::make_unique<Expr>(expr));
  set.InsertNode(nodes.back().get(), position);
  return nodes.back().get();
}

unsigned ExprContext::addVariable(std::optional<int64_t> size, Value symbol) {
  Variable variable;
  variable.size = size;
  variable.symbol = symbol;
  variables.push_back(variable);
  return variables.size() - 1;
}

unsigned ExprContext::addVariable(Value tensor, int64_t dim) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  unsigned id = addVariable(ShapedType::isDynamic(size) ? std::nullopt
                                                        : std::optional(size));
  variables[id].sizedBy = tensor;
  variables[id].sizedByDim = dim;
  return id;
}

const Expr *ExprContext::getNot(const Expr *operand) {
  Expr expr;
  expr.kind = Expr::Kind::Apply;
  expr.type = operand->type;
  expr.name = "not";
  expr.operands = {operand};
  return unique(expr);
}

const Expr *ExprContext::getNegation(const Expr *operand) {
  if (operand->is("arith.negf") || operand->is("neg"))
    return operand->operands[0];
  Expr expr;
  expr.kind = Expr::Kind::Apply;
  expr.type = operand->type;
  expr.name = "neg";
  expr.operands = {operand};
  return unique(expr);
}

const Expr *ExprContext::getSum(const Expr *lhs, const Expr *rhs) {
  Expr expr;
  expr.kind = Expr::Kind::Apply;
  expr.type = lhs->type;
  expr.name = "add";
  expr.operands = {lhs, rhs};
  return unique(expr);
}

const Expr *ExprContext::getIndex(const Linear &linear, Type type) {
  Expr expr;
  expr.kind = Expr::Kind::Index;
  // All integers of one value are one node, whatever their width: positions
  // are far below 2^31.
  (void)type;
  expr.linear = linear;
  return unique(expr);
}

const Expr *ExprContext::getNumber(TypedAttr number) {
  if (auto integer = dyn_cast<IntegerAttr>(number))
    if (!integer.getType().isInteger(1) &&
        integer.getValue().getSignificantBits() <= 64)
      return getIndex(Linear::get(integer.getValue().getSExtValue()),
                      integer.getType());
  Expr expr;
  expr.kind = Expr::Kind::Number;
  expr.type = number.getType();
  expr.number = number;
  return unique(expr);
}

const Expr *ExprContext::getElement(Value tensor,
                                    ArrayRef<const Expr *> indices) {
  Expr expr;
  expr.kind = Expr::Kind::Element;
  expr.type = getElementTypeOrSelf(tensor.getType());
  expr.tensor = tensor;
  expr.operands.assign(indices.begin(), indices.end());
  return unique(expr);
}

/// An attribute of `expr` if it is a constant, of type `type` if an integer.
static Attribute getConstant(const Expr *expr, Type type) {
  if (expr->kind == Expr::Kind::Number)
    return expr->number;
  if (expr->kind == Expr::Kind::Index && expr->linear.isConstant() &&
      isa<IntegerType, IndexType>(type))
    return IntegerAttr::get(type, expr->linear.constant);
  return {};
}

/// An affine expression of dimensions and symbols (which follow them in
/// `loops`), if it is a sum of multiples.
static std::optional<Linear> getAffine(AffineExpr expr,
                                       ArrayRef<const Expr *> loops,
                                       unsigned dimensions = 0) {
  if (isa<AffineDimExpr, AffineSymbolExpr>(expr)) {
    auto symbol = dyn_cast<AffineSymbolExpr>(expr);
    const Expr *loop = loops[symbol ? dimensions + symbol.getPosition()
                                    : cast<AffineDimExpr>(expr).getPosition()];
    if (!loop || loop->kind != Expr::Kind::Index)
      return std::nullopt;
    return loop->linear;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Linear::get(constant.getValue());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || (expr.getKind() != AffineExprKind::Add &&
                  expr.getKind() != AffineExprKind::Mul))
    return std::nullopt;
  std::optional<Linear> lhs = getAffine(binary.getLHS(), loops, dimensions);
  std::optional<Linear> rhs = getAffine(binary.getRHS(), loops, dimensions);
  if (!lhs || !rhs)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add)
    return lhs->plus(*rhs);
  if (rhs->isConstant())
    return Linear().plus(*lhs, rhs->constant);
  return std::nullopt;
}

namespace {
/// The size of a dimension: a number, a dimension of another tensor, or a
/// scalar.
struct DimensionSize {
  int64_t number = ShapedType::kDynamic;
  Value source;
  int64_t dim = -1;

  bool operator==(const DimensionSize &other) const {
    return number == other.number && source == other.source && dim == other.dim;
  }
};
} // namespace

static DimensionSize traceSize(Value tensor, int64_t dim);

/// The size that an integer scalar is.
static DimensionSize traceSize(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return {*number, {}, -1};
  Value value = cast<Value>(size);
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> position = dim.getConstantIndex())
      return traceSize(dim.getSource(), *position);
  return {ShapedType::kDynamic, value, -1};
}

/// The size of a dimension, back to what decides it.
static DimensionSize traceSize(Value tensor, int64_t dim) {
  while (true) {
    auto type = dyn_cast<RankedTensorType>(tensor.getType());
    if (type && !type.isDynamicDim(dim))
      return {type.getDimSize(dim), {}, -1};
    auto result = dyn_cast<OpResult>(tensor);
    Operation *op = result ? result.getOwner() : nullptr;
    if (auto destination = dyn_cast_or_null<DestinationStyleOpInterface>(op)) {
      tensor = destination.getTiedOpOperand(result)->get();
    } else if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op)) {
      return traceSize(empty.getMixedSizes()[dim]);
    } else if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
      return traceSize(expand.getMixedOutputShape()[dim]);
    } else if (auto cast = dyn_cast_or_null<tensor::CastOp>(op)) {
      tensor = cast.getSource();
    } else if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
      ReassociationIndices group = collapse.getReassociationIndices()[dim];
      if (group.size() != 1)
        return {ShapedType::kDynamic, tensor, dim};
      tensor = collapse.getSrc();
      dim = group[0];
    } else if (auto reshape = dyn_cast_or_null<tensor::ReshapeOp>(op)) {
      auto shape = reshape.getShape().getDefiningOp<tensor::FromElementsOp>();
      if (!shape)
        return {ShapedType::kDynamic, tensor, dim};
      return traceSize(OpFoldResult(shape.getElements()[dim]));
    } else {
      return {ShapedType::kDynamic, tensor, dim};
    }
  }
}

/// Whether `index` runs over a dimension of the size that is compared with 1:
/// size == 1 ? 0 : index is the index itself.
bool ExprContext::isBroadcastGuard(ArrayRef<const Expr *> select) const {
  const Expr *condition = select[0], *index = select[2];
  std::optional<unsigned> var =
      index->kind == Expr::Kind::Index ? index->linear.getVar() : std::nullopt;
  if (!condition->is("arith.cmpi") || getInteger(select[1]) != 0 || !var ||
      !variables[*var].sizedBy ||
      static_cast<arith::CmpIPredicate>(condition->predicate) !=
          arith::CmpIPredicate::eq)
    return false;
  for (unsigned i : {0u, 1u}) {
    const Expr *size = condition->operands[i];
    std::optional<unsigned> symbol =
        size->kind == Expr::Kind::Index ? size->linear.getVar() : std::nullopt;
    if (getInteger(condition->operands[1 - i]) == 1 && symbol &&
        variables[*symbol].symbol &&
        traceSize(OpFoldResult(variables[*symbol].symbol)) ==
            traceSize(variables[*var].sizedBy, variables[*var].sizedByDim))
      return true;
  }
  return false;
}

const Expr *ExprContext::getApply(Operation *op,
                                  ArrayRef<const Expr *> operands) {
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  auto isIndex = [](const Expr *expr) {
    return expr->kind == Expr::Kind::Index;
  };
  // Integers.
  if (operands.size() == 2 && isIndex(operands[0]) && isIndex(operands[1])) {
    const Linear &lhs = operands[0]->linear, &rhs = operands[1]->linear;
    if (isa<arith::AddIOp>(op))
      return getIndex(lhs.plus(rhs), type);
    if (isa<arith::SubIOp>(op))
      return getIndex(lhs.plus(rhs, -1), type);
    if (isa<arith::MulIOp>(op)) {
      if (rhs.isConstant())
        return getIndex(Linear().plus(lhs, rhs.constant), type);
      if (lhs.isConstant())
        return getIndex(Linear().plus(rhs, lhs.constant), type);
    }
  }
  // Two positions are compared by their difference.
  if (auto compare = dyn_cast<arith::CmpIOp>(op);
      compare && isIndex(operands[0]) && isIndex(operands[1]) &&
      !operands[1]->linear.isConstant()) {
    using P = arith::CmpIPredicate;
    P predicate = compare.getPredicate();
    if (predicate == P::eq || predicate == P::ne || predicate == P::slt ||
        predicate == P::sle || predicate == P::sgt || predicate == P::sge)
      return getApply(
          op, {getIndex(operands[0]->linear.plus(operands[1]->linear, -1), {}),
               getIndex(Linear::get(0), {})});
  }
  if (operands.size() == 1 && isIndex(operands[0]) &&
      isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op) &&
      !type.isInteger(1))
    return operands[0];
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    if (std::optional<Linear> linear =
            getAffine(apply.getAffineMap().getResult(0), operands,
                      apply.getAffineMap().getNumDims()))
      return getIndex(*linear, type);
  // Choices that are made.
  if (isa<arith::SelectOp>(op)) {
    if (operands[1] == operands[2])
      return operands[1];
    if (isBroadcastGuard(operands))
      return operands[2];
    if (auto condition = dyn_cast_or_null<IntegerAttr>(
            getConstant(operands[0], op->getOperand(0).getType())))
      return operands[condition.getValue().isZero() ? 2 : 1];
  }
  // A factor of 1.
  if (isa<arith::MulFOp>(op))
    for (unsigned i : {0u, 1u})
      if (getFloat(operands[i]) == 1.0)
        return operands[1 - i];
  // Constants. arith.truncf folds only what is exact.
  if (isa<arith::ExtFOp, arith::TruncFOp>(op) &&
      operands[0]->kind == Expr::Kind::Number)
    if (auto number = dyn_cast<FloatAttr>(operands[0]->number)) {
      APFloat value = number.getValue();
      bool ignored;
      value.convert(cast<FloatType>(type).getFloatSemantics(),
                    APFloat::rmNearestTiesToEven, &ignored);
      return getNumber(FloatAttr::get(type, value));
    }
  if (llvm::all_of(llvm::enumerate(operands),
                   [&](auto it) {
                     return getConstant(
                         it.value(),
                         getElementTypeOrSelf(op->getOperand(it.index())));
                   }) &&
      !isa<ShapedType>(op->getResult(0).getType()) &&
      op->getNumRegions() == 0) {
    SmallVector<Attribute> constants;
    for (auto [operand, value] : llvm::zip(operands, op->getOperands()))
      constants.push_back(getConstant(operand, value.getType()));
    SmallVector<OpFoldResult> results;
    if (succeeded(op->fold(constants, results)) && results.size() == 1)
      if (auto folded =
              dyn_cast_or_null<TypedAttr>(dyn_cast<Attribute>(results[0])))
        return getNumber(folded);
  }
  Expr expr;
  expr.kind = Expr::Kind::Apply;
  expr.type = type;
  expr.op = op;
  expr.name = op->getName().getStringRef();
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    expr.predicate = static_cast<int64_t>(compare.getPredicate());
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    expr.predicate = static_cast<int64_t>(compare.getPredicate());
  expr.operands.assign(operands.begin(), operands.end());
  return unique(expr);
}

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

const Expr *ExprContext::elementOfOp(Operation *op, OpResult result,
                                     ArrayRef<const Expr *> indices,
                                     Depth depth) {
  auto asIndex = [&](const Linear &linear) { return getIndex(linear, {}); };
  auto getLinear = [](const Expr *expr) -> const Linear * {
    return expr->kind == Expr::Kind::Index ? &expr->linear : nullptr;
  };
  if (auto linalgOp = dyn_cast<LinalgOp>(op)) {
    if (depth == Depth::Full && isSumOfProducts(linalgOp))
      return selectRow(linalgOp, result, indices);
    if (linalgOp.getNumReductionLoops() != 0 ||
        (depth == Depth::Layout && !isCopy(linalgOp)))
      return nullptr;
    auto yield =
        dyn_cast<linalg::YieldOp>(linalgOp.getBlock()->getTerminator());
    SmallVector<const Expr *> loops;
    OpOperand *init = linalgOp.getDpsInitOperand(result.getResultNumber());
    if (!yield || !bindLoops(linalgOp, linalgOp.getMatchingIndexingMap(init),
                             indices, loops))
      return nullptr;
    for (Operation &inner : *linalgOp.getBlock())
      if (isa<cf::AssertOp>(inner))
        asserting.insert(op);
    Body body(linalgOp, loops, depth);
    return scalarInBody(yield.getOperand(result.getResultNumber()), body);
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return element(cast.getSource(), indices, depth);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<const Expr *> source;
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      // Row-major: the outer sizes do not matter.
      Linear sum;
      const Expr *only = nullptr;
      int64_t stride = 1, live = 0;
      for (int64_t dim : llvm::reverse(group)) {
        int64_t size = expand.getResultType().getDimSize(dim);
        const Linear *linear = getLinear(indices[dim]);
        bool isZero = linear && *linear == Linear::get(0);
        if (!isZero) {
          ++live;
          only = indices[dim];
          if (ShapedType::isDynamic(stride))
            return nullptr;
          if (linear)
            sum = sum.plus(*linear, stride);
          else if (stride != 1)
            return nullptr;
        }
        if (size != 1)
          stride = ShapedType::isDynamic(size) || ShapedType::isDynamic(stride)
                       ? ShapedType::kDynamic
                       : stride * size;
      }
      if (live == 1 && !getLinear(only))
        source.push_back(only);
      else if (live > 1 && llvm::any_of(group, [&](int64_t dim) {
                 return !getLinear(indices[dim]);
               }))
        return nullptr;
      else
        source.push_back(asIndex(sum));
    }
    return element(expand.getSrc(), source, depth);
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    SmallVector<const Expr *> source(collapse.getSrcType().getRank());
    for (auto [index, group] :
         llvm::zip(indices, collapse.getReassociationIndices())) {
      SmallVector<int64_t> live;
      for (int64_t dim : group) {
        if (collapse.getSrcType().getDimSize(dim) == 1)
          source[dim] = asIndex(Linear::get(0));
        else
          live.push_back(dim);
      }
      if (live.empty())
        continue;
      if (live.size() == 1) {
        source[live[0]] = index;
        continue;
      }
      const Linear *linear = getLinear(index);
      if (!linear)
        return nullptr;
      Linear rest = *linear;
      for (int64_t dim : llvm::reverse(ArrayRef(live).drop_front())) {
        int64_t size = collapse.getSrcType().getDimSize(dim);
        if (ShapedType::isDynamic(size))
          return nullptr;
        auto parts = split(rest, size);
        if (!parts)
          return nullptr;
        source[dim] = asIndex(parts->second);
        rest = parts->first;
      }
      source[live[0]] = asIndex(rest);
    }
    // A group without dimensions: a tensor of rank 0.
    return element(collapse.getSrc(), source, depth);
  }
  if (auto reshape = dyn_cast<tensor::ReshapeOp>(op)) {
    // The last dimensions stay, as far as their sizes are provably the same;
    // what stands before is static and keeps its order.
    auto source = dyn_cast<RankedTensorType>(reshape.getSource().getType());
    auto target = dyn_cast<RankedTensorType>(reshape.getResult().getType());
    if (!source || !target)
      return nullptr;
    int64_t from = source.getRank(), to = target.getRank();
    SmallVector<const Expr *> at(from);
    while (from > 0 && to > 0 &&
           traceSize(reshape.getSource(), from - 1) ==
               traceSize(reshape.getResult(), to - 1))
      at[--from] = indices[--to];
    Linear sum;
    int64_t stride = 1;
    for (int64_t dim = to - 1; dim >= 0; --dim) {
      if (target.isDynamicDim(dim) || !getLinear(indices[dim]))
        return nullptr;
      sum = sum.plus(*getLinear(indices[dim]), stride);
      stride *= target.getDimSize(dim);
    }
    for (int64_t dim = from - 1; dim >= 0; --dim) {
      if (source.isDynamicDim(dim))
        return nullptr;
      if (dim == 0) {
        at[dim] = asIndex(sum);
        break;
      }
      auto parts = split(sum, source.getDimSize(dim));
      if (!parts)
        return nullptr;
      at[dim] = asIndex(parts->second);
      sum = parts->first;
    }
    return element(reshape.getSource(), at, depth);
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    SmallVector<const Expr *> source;
    unsigned next = 0;
    for (auto [dim, offset, stride] :
         llvm::enumerate(slice.getMixedOffsets(), slice.getMixedStrides())) {
      const Expr *base =
          isa<Attribute>(offset)
              ? asIndex(Linear::get(*getConstantIntValue(offset)))
              : scalar(cast<Value>(offset));
      std::optional<int64_t> step = getConstantIntValue(stride);
      if (!step || !getLinear(base))
        return nullptr;
      if (dropped.test(dim)) {
        source.push_back(base);
        continue;
      }
      const Expr *index = indices[next++];
      if (*step == 1 && *getLinear(base) == Linear::get(0)) {
        source.push_back(index);
        continue;
      }
      if (!getLinear(index))
        return nullptr;
      source.push_back(
          asIndex(getLinear(base)->plus(*getLinear(index), *step)));
    }
    return element(slice.getSource(), source, depth);
  }
  if (depth == Depth::Layout)
    return nullptr;
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return scalar(splat.getInput());
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op)) {
    if (elements.getElements().size() == 1)
      return scalar(elements.getElements()[0]);
    return nullptr;
  }
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

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

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
      llvm::SmallDenseSet<unsigned> variables;
      collectVariables(id, variables);
      if (variables.contains(rowVar))
        continue;
      const Expr *read = replace(reduction->factors[1 - i], {{row, id}});
      // What it starts from is added.
      return zero && *zero == 0.0 ? read : getSum(reduction->init, read);
    }
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Walks
//===----------------------------------------------------------------------===//

const Expr *ExprContext::rebuild(const Expr *expr,
                                 ArrayRef<const Expr *> operands) {
  if (expr->op)
    return getApply(expr->op, operands);
  if (expr->name == "neg")
    return getNegation(operands[0]);
  return operands.size() == 1 ? getNot(operands[0])
                              : getSum(operands[0], operands[1]);
}

const Expr *ExprContext::getLookup(DenseElementsAttr values,
                                   const Expr *index) {
  Expr expr;
  expr.kind = Expr::Kind::Element;
  expr.type = values.getElementType();
  expr.number = values;
  expr.operands = {index};
  return unique(expr);
}

const Expr *ExprContext::replace(
    const Expr *root,
    const llvm::DenseMap<const Expr *, const Expr *> &replacements) {
  llvm::DenseMap<const Expr *, const Expr *> done = replacements;
  std::function<const Expr *(const Expr *)> visit =
      [&](const Expr *expr) -> const Expr * {
    auto it = done.find(expr);
    if (it != done.end())
      return it->second;
    const Expr *result = expr;
    if (!expr->operands.empty()) {
      SmallVector<const Expr *> operands;
      for (const Expr *operand : expr->operands)
        operands.push_back(visit(operand));
      if (expr->kind == Expr::Kind::Apply)
        result = rebuild(expr, operands);
      else if (expr->tensor)
        result = getElement(expr->tensor, operands);
      else
        result = getLookup(cast<DenseElementsAttr>(expr->number), operands[0]);
    }
    done[expr] = result;
    return result;
  };
  return visit(root);
}

const Expr *
ExprContext::substitute(const Expr *root,
                        const llvm::DenseMap<unsigned, Linear> &values) {
  llvm::DenseMap<const Expr *, const Expr *> done;
  std::function<const Expr *(const Expr *)> visit =
      [&](const Expr *expr) -> const Expr * {
    auto it = done.find(expr);
    if (it != done.end())
      return it->second;
    const Expr *result = expr;
    if (expr->kind == Expr::Kind::Index) {
      Linear linear = Linear::get(expr->linear.constant);
      for (auto [var, coefficient] : expr->linear.terms) {
        auto value = values.find(var);
        linear = linear.plus(value == values.end() ? Linear::var(var)
                                                   : value->second,
                             coefficient);
      }
      result = getIndex(linear, {});
    } else if (!expr->operands.empty()) {
      SmallVector<const Expr *> operands;
      for (const Expr *operand : expr->operands)
        operands.push_back(visit(operand));
      if (expr->kind == Expr::Kind::Apply)
        result = rebuild(expr, operands);
      else if (expr->tensor)
        result = getElement(expr->tensor, operands);
      else
        result = getLookup(cast<DenseElementsAttr>(expr->number), operands[0]);
    }
    done[expr] = result;
    return result;
  };
  return visit(root);
}

void relattn::collectVariables(const Expr *root,
                               llvm::SmallDenseSet<unsigned> &result) {
  llvm::DenseSet<const Expr *> seen;
  SmallVector<const Expr *> worklist = {root};
  while (!worklist.empty()) {
    const Expr *expr = worklist.pop_back_val();
    if (!seen.insert(expr).second)
      continue;
    for (auto [var, coefficient] : expr->linear.terms)
      result.insert(var);
    llvm::append_range(worklist, expr->operands);
  }
}

std::optional<double> relattn::getFloat(const Expr *expr) {
  if (expr->kind != Expr::Kind::Number)
    return std::nullopt;
  auto number = dyn_cast<FloatAttr>(expr->number);
  if (!number)
    return std::nullopt;
  return number.getValueAsDouble();
}

std::optional<int64_t> relattn::getInteger(const Expr *expr) {
  if (expr->kind == Expr::Kind::Index && expr->linear.isConstant())
    return expr->linear.constant;
  return std::nullopt;
}

const Expr *relattn::skipFloatCasts(const Expr *expr) {
  while (expr->is("arith.extf") || expr->is("arith.truncf"))
    expr = expr->operands[0];
  return expr;
}
