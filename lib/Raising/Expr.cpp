//===- Expr.cpp - Scalar expressions --------------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nodes, their simplification, and walks over them. See ElementExpr.h.
//
//===----------------------------------------------------------------------===//

#include "DimensionSize.h"
#include "ElementExpr.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::relattn;

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

const Expr *ExprContext::getNamed(StringRef name, Type type, int64_t number,
                                  ArrayRef<const Expr *> operands) {
  Expr expr;
  expr.kind = Expr::Kind::Apply;
  expr.type = type;
  expr.name = name;
  expr.predicate = number;
  expr.operands.assign(operands.begin(), operands.end());
  return unique(expr);
}

const Expr *ExprContext::getNegation(const Expr *operand) {
  if (operand->is("arith.negf") || operand->is("neg"))
    return operand->operands[0];
  if (operand->is("arith.mulf"))
    for (unsigned i : {0u, 1u})
      if (getFloat(operand->operands[i]) == -1.0)
        return operand->operands[1 - i];
  return getNamed("neg", operand->type, 0, operand);
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
std::optional<Linear> relattn::getAffine(AffineExpr expr,
                                         ArrayRef<const Expr *> loops,
                                         unsigned dimensions) {
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

bool ExprContext::fits(const Linear &linear, Type type) const {
  if (isa<IndexType>(type) || type.getIntOrFloatBitWidth() >= 32)
    return true;
  int64_t low = linear.constant, high = linear.constant;
  for (auto [var, coefficient] : linear.terms) {
    std::optional<int64_t> size = variables[var].size;
    if (!size || *size > kMaxOffset)
      return false;
    int64_t end = coefficient * (*size - 1);
    (end < 0 ? low : high) += end;
  }
  unsigned width = type.getIntOrFloatBitWidth();
  return llvm::isIntN(width, low) && llvm::isIntN(width, high);
}

const Expr *ExprContext::getApply(Operation *op,
                                  ArrayRef<const Expr *> operands) {
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  auto isIndex = [](const Expr *expr) {
    return expr->kind == Expr::Kind::Index;
  };
  // Integers. Narrow ones that positions may leave wrap; they stay operations.
  auto getLinear = [&](const Linear &linear) {
    return fits(linear, type) ? getIndex(linear, type) : nullptr;
  };
  const Expr *linear = nullptr;
  bool isInteger = isa<IndexType, IntegerType>(type) && !type.isInteger(1);
  if (isInteger && operands.size() == 2 && isIndex(operands[0]) &&
      isIndex(operands[1])) {
    const Linear &lhs = operands[0]->linear, &rhs = operands[1]->linear;
    if (isa<arith::AddIOp>(op))
      linear = getLinear(lhs.plus(rhs));
    else if (isa<arith::SubIOp>(op))
      linear = getLinear(lhs.plus(rhs, -1));
    else if (isa<arith::MulIOp>(op) && rhs.isConstant())
      linear = getLinear(Linear().plus(lhs, rhs.constant));
    else if (isa<arith::MulIOp>(op) && lhs.isConstant())
      linear = getLinear(Linear().plus(rhs, lhs.constant));
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
  if (isInteger && operands.size() == 1 && isIndex(operands[0]) &&
      isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op))
    linear = getLinear(operands[0]->linear);
  if (linear)
    return linear;
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
  if (isa<arith::NegFOp>(op) && operands[0]->kind == Expr::Kind::Number)
    if (auto number = dyn_cast<FloatAttr>(operands[0]->number))
      return getNumber(FloatAttr::get(type, neg(number.getValue())));
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
// Walks
//===----------------------------------------------------------------------===//

const Expr *ExprContext::rebuild(const Expr *expr,
                                 ArrayRef<const Expr *> operands) {
  return expr->op ? getApply(expr->op, operands)
                  : getNamed(expr->name, expr->type, expr->predicate, operands);
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

const Expr *
ExprContext::rewrite(const Expr *root,
                     llvm::DenseMap<const Expr *, const Expr *> done,
                     llvm::function_ref<const Expr *(const Expr *)> onIndex) {
  std::function<const Expr *(const Expr *)> visit =
      [&](const Expr *expr) -> const Expr * {
    auto it = done.find(expr);
    if (it != done.end())
      return it->second;
    const Expr *result = expr;
    if (expr->kind == Expr::Kind::Index) {
      result = onIndex(expr);
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

const Expr *ExprContext::replace(
    const Expr *root,
    const llvm::DenseMap<const Expr *, const Expr *> &replacements) {
  return rewrite(root, replacements, [](const Expr *index) { return index; });
}

const Expr *
ExprContext::substitute(const Expr *root,
                        const llvm::DenseMap<unsigned, Linear> &values) {
  llvm::DenseMap<const Expr *, const Expr *> none;
  return rewrite(root, none, [&](const Expr *index) {
    Linear linear = Linear::get(index->linear.constant);
    for (auto [var, coefficient] : index->linear.terms) {
      auto value = values.find(var);
      linear =
          linear.plus(value == values.end() ? Linear::var(var) : value->second,
                      coefficient);
    }
    return getIndex(linear, {});
  });
}

void relattn::forEachNode(const Expr *root,
                          llvm::function_ref<void(const Expr *)> function) {
  findNode(root, [&](const Expr *node) {
    function(node);
    return false;
  });
}

const Expr *
relattn::findNode(const Expr *root,
                  llvm::function_ref<bool(const Expr *)> predicate) {
  llvm::SetVector<const Expr *> nodes;
  nodes.insert(root);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Expr *node = nodes[i];
    if (predicate(node))
      return node;
    nodes.insert(node->operands.begin(), node->operands.end());
  }
  return nullptr;
}

Variables relattn::getVariables(const Expr *expr) {
  Variables result;
  forEachNode(expr, [&](const Expr *node) {
    for (auto [var, coefficient] : node->linear.terms)
      result.insert(var);
  });
  return result;
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
