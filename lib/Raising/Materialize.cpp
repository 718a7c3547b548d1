//===- Materialize.cpp - Expressions as tensors again ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "Materialize.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;
using namespace mlir::relattn;

OpFoldResult relattn::getDimension(OpBuilder &builder, Location loc,
                                   Value tensor, int64_t dim) {
  // Not of the tensor itself where its op can say it: the tensor may go.
  if (auto result = dyn_cast<OpResult>(tensor)) {
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(result.getOwner()))
      return expand.getMixedOutputShape()[dim];
    // arith and math on tensors say nothing of their sizes.
    if (result.getOwner()->hasTrait<OpTrait::Elementwise>())
      for (Value operand : result.getOwner()->getOperands())
        if (isa<RankedTensorType>(operand.getType()))
          return getDimension(builder, loc, operand, dim);
    ReifiedRankedShapedTypeDims shapes;
    if (succeeded(reifyResultShapes(builder, result.getOwner(), shapes)))
      return shapes[result.getResultNumber()][dim];
  }
  return tensor::getMixedSize(builder, loc, tensor, dim);
}

OpFoldResult relattn::getSize(OpBuilder &builder, Location loc,
                              const ExprContext &context, unsigned variable) {
  const ExprContext::Variable &var = context.getVariable(variable);
  if (var.size)
    return builder.getIndexAttr(*var.size);
  if (!var.sizedBy)
    return {};
  return getDimension(builder, loc, var.sizedBy, var.sizedByDim);
}

Value relattn::materializeIndex(OpBuilder &builder, Location loc,
                                const ExprContext &context,
                                const Linear &linear) {
  Value sum = arith::ConstantIndexOp::create(builder, loc, linear.constant);
  bool isZero = linear.constant == 0;
  for (auto [var, coefficient] : linear.terms) {
    Value symbol = context.getVariable(var).symbol;
    assert(symbol && "expected a sum of symbols");
    if (!symbol.getType().isIndex())
      symbol = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                          symbol);
    if (coefficient != 1) {
      Value factor = arith::ConstantIndexOp::create(builder, loc, coefficient);
      symbol = arith::MulIOp::create(builder, loc, symbol, factor);
    }
    sum = isZero ? symbol : arith::AddIOp::create(builder, loc, sum, symbol);
    isZero = false;
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

bool relattn::readDigits(const ExprContext &context, const Linear &linear,
                         int64_t size, SmallVectorImpl<unsigned> &digits) {
  if (linear.constant != 0)
    return false;
  if (linear.terms.empty())
    return size == 1;
  if (linear.terms.size() == 1) {
    auto [var, coefficient] = linear.terms[0];
    const auto &variable = context.getVariable(var);
    if (coefficient != 1 || variable.symbol)
      return false;
    // A slice of a longer dimension is no reshape.
    if (variable.size ? *variable.size != size : !ShapedType::isDynamic(size))
      return false;
    digits.push_back(var);
    return true;
  }
  auto terms = llvm::to_vector(linear.terms);
  llvm::sort(terms, [](auto a, auto b) { return a.second < b.second; });
  int64_t stride = 1;
  SmallVector<unsigned> reversed;
  for (auto [var, coefficient] : terms) {
    const auto &variable = context.getVariable(var);
    if (coefficient != stride || !variable.size || variable.symbol)
      return false;
    stride *= *variable.size;
    reversed.push_back(var);
  }
  if (stride != size)
    return false;
  digits.append(reversed.rbegin(), reversed.rend());
  return true;
}

Value relattn::reshapeLeaf(OpBuilder &builder, Location loc,
                           ExprContext &context, const Expr *leaf,
                           SmallVectorImpl<unsigned> &order, bool onlyCheck) {
  auto type = dyn_cast<RankedTensorType>(leaf->tensor.getType());
  if (leaf->kind != Expr::Kind::Element || !type)
    return {};
  SmallVector<SmallVector<unsigned>> digits(type.getRank());
  for (auto [dim, index] : llvm::enumerate(leaf->operands)) {
    if (index->kind != Expr::Kind::Index ||
        !readDigits(context, index->linear, type.getDimSize(dim), digits[dim]))
      return {};
    for (unsigned var : digits[dim]) {
      if (llvm::is_contained(order, var))
        return {}; // a diagonal
      order.push_back(var);
    }
  }
  if (onlyCheck)
    return leaf->tensor;
  Value tensor = leaf->tensor;
  // Dimensions of size 1 go; each joins a neighbour that stays.
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  ReassociationIndices pending;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    pending.push_back(dim);
    if (digits[dim].empty())
      continue;
    groups.push_back(pending);
    shape.push_back(type.getDimSize(dim));
    pending.clear();
  }
  if (!pending.empty() && !groups.empty())
    groups.back().append(pending.begin(), pending.end());
  if (static_cast<int64_t>(groups.size()) != type.getRank())
    tensor = tensor::CollapseShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        tensor, groups);
  // Digits become dimensions.
  SmallVector<ReassociationIndices> parts;
  SmallVector<int64_t> expanded;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (digits[dim].empty())
      continue;
    ReassociationIndices part;
    for (unsigned var : digits[dim]) {
      part.push_back(expanded.size());
      expanded.push_back(
          context.getVariable(var).size.value_or(ShapedType::kDynamic));
    }
    parts.push_back(part);
  }
  if (expanded.size() != shape.size())
    tensor = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(expanded, type.getElementType()),
        tensor, parts);
  return tensor;
}

//===----------------------------------------------------------------------===//
// Computation
//===----------------------------------------------------------------------===//

bool relattn::canMaterialize(const ExprContext &context, const Expr *expr,
                             ArrayRef<unsigned> variables) {
  Variables used = getVariables(expr);
  for (unsigned var : used)
    if (!llvm::is_contained(variables, var) && !context.getVariable(var).symbol)
      return false;
  return llvm::all_of(variables, [&](unsigned var) {
    const auto &variable = context.getVariable(var);
    return variable.size || variable.sizedBy;
  });
}

namespace {
/// Emits an expression in the body of a generic over `variables`.
class BodyEmitter {
public:
  BodyEmitter(OpBuilder &builder, Location loc, const ExprContext &context,
              ArrayRef<unsigned> variables,
              const llvm::DenseMap<const Expr *, Value> &arguments)
      : builder(builder), loc(loc), context(context), variables(variables),
        done(arguments) {}

  /// `expr` as a scalar; an integer has `type`.
  Value emit(const Expr *expr, Type type) {
    if (expr->kind == Expr::Kind::Index)
      return emitIndex(expr->linear, type);
    auto it = done.find(expr);
    if (it != done.end())
      return toType(it->second, type);
    Value value;
    switch (expr->kind) {
    case Expr::Kind::Number:
      value = arith::ConstantOp::create(builder, loc,
                                        cast<TypedAttr>(expr->number));
      break;
    case Expr::Kind::Element: {
      if (expr->operands.empty() && !isa<ShapedType>(expr->tensor.getType())) {
        value = expr->tensor;
        break;
      }
      Value tensor = expr->tensor;
      if (!tensor)
        tensor = arith::ConstantOp::create(builder, loc,
                                           cast<TypedAttr>(expr->number));
      SmallVector<Value> indices;
      for (const Expr *index : expr->operands)
        indices.push_back(emit(index, builder.getIndexType()));
      value = tensor::ExtractOp::create(builder, loc, tensor, indices);
      break;
    }
    case Expr::Kind::Apply: {
      SmallVector<Value> operands;
      if (!expr->op) {
        value = emitNamed(expr);
        break;
      }
      for (auto [operand, source] :
           llvm::zip(expr->operands, expr->op->getOperands()))
        operands.push_back(
            emit(operand, getElementTypeOrSelf(source.getType())));
      OperationState state(loc, expr->op->getName());
      state.addOperands(operands);
      state.addTypes(getElementTypeOrSelf(expr->op->getResult(0).getType()));
      state.propertiesAttr = expr->op->getPropertiesAsAttribute();
      value = builder.create(state)->getResult(0);
      break;
    }
    case Expr::Kind::Index:
      llvm_unreachable("handled above");
    }
    done[expr] = value;
    return toType(value, type);
  }

private:
  Value emitNamed(const Expr *expr) {
    Type index = builder.getIndexType();
    auto constant = [&](int64_t number) -> Value {
      return arith::ConstantIndexOp::create(builder, loc, number);
    };
    if (expr->is("clamp") || expr->is("rowOrZero")) {
      Value id = emit(expr->operands[0], index);
      if (expr->is("clamp")) {
        Value atLeast = arith::MaxSIOp::create(builder, loc, id, constant(0));
        return arith::MinSIOp::create(builder, loc, atLeast,
                                      constant(expr->predicate - 1));
      }
      Value isInside =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, id,
                                constant(expr->predicate));
      Value zero = arith::ConstantOp::create(
          builder, loc, builder.getFloatAttr(expr->type, 0.0));
      return arith::SelectOp::create(builder, loc, isInside,
                                     emit(expr->operands[1], expr->type), zero);
    }
    SmallVector<Value> operands;
    for (const Expr *operand : expr->operands)
      operands.push_back(emit(operand, operand->type));
    if (expr->is("neg"))
      return arith::NegFOp::create(builder, loc, operands[0]);
    if (expr->is("add"))
      return arith::AddFOp::create(builder, loc, operands[0], operands[1]);
    if (expr->is("and"))
      return arith::AndIOp::create(builder, loc, operands[0], operands[1]);
    if (expr->is("select"))
      return arith::SelectOp::create(builder, loc, operands[0], operands[1],
                                     operands[2]);
    Value yes = arith::ConstantIntOp::create(builder, loc, 1, 1);
    return arith::XOrIOp::create(builder, loc, operands[0], yes);
  }

  /// Integers of an expression have no width; each use asks for its own.
  Value toType(Value value, Type type) {
    if (value.getType() == type)
      return value;
    if (value.getType().isIndex() || type.isIndex())
      return arith::IndexCastOp::create(builder, loc, type, value);
    if (value.getType().isInteger() && type.isInteger())
      return value.getType().getIntOrFloatBitWidth() <
                     type.getIntOrFloatBitWidth()
                 ? arith::ExtSIOp::create(builder, loc, type, value).getResult()
                 : arith::TruncIOp::create(builder, loc, type, value)
                       .getResult();
    return value;
  }

  Value emitIndex(const Linear &linear, Type type) {
    Value sum;
    auto add = [&](Value value) {
      sum = sum ? arith::AddIOp::create(builder, loc, sum, value) : value;
    };
    for (auto [var, coefficient] : linear.terms) {
      Value value;
      if (Value symbol = context.getVariable(var).symbol) {
        value = symbol.getType().isIndex()
                    ? symbol
                    : arith::IndexCastOp::create(
                          builder, loc, builder.getIndexType(), symbol);
      } else {
        const auto *position = llvm::find(variables, var);
        value = linalg::IndexOp::create(
            builder, loc, std::distance(variables.begin(), position));
      }
      if (coefficient != 1)
        value = arith::MulIOp::create(
            builder, loc, value,
            arith::ConstantIndexOp::create(builder, loc, coefficient));
      add(value);
    }
    if (linear.constant != 0 || !sum)
      add(arith::ConstantIndexOp::create(builder, loc, linear.constant));
    if (type.isIndex())
      return sum;
    return arith::IndexCastOp::create(builder, loc, type, sum);
  }

  OpBuilder &builder;
  Location loc;
  const ExprContext &context;
  ArrayRef<unsigned> variables;
  llvm::DenseMap<const Expr *, Value> done;
};
} // namespace

Value relattn::materialize(OpBuilder &builder, Location loc,
                           ExprContext &context, const Expr *expr,
                           ArrayRef<unsigned> variables) {
  // What exists already.
  if (expr->kind == Expr::Kind::Element && expr->tensor) {
    SmallVector<unsigned> order;
    if (reshapeLeaf(builder, loc, context, expr, order, /*onlyCheck=*/true) &&
        ArrayRef(order) == variables) {
      order.clear();
      return reshapeLeaf(builder, loc, context, expr, order);
    }
  }
  SmallVector<OpFoldResult> sizes;
  for (unsigned var : variables)
    sizes.push_back(getSize(builder, loc, context, var));
  Type element = expr->type ? expr->type : builder.getIndexType();
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);

  // Elements at plain indices are operands; others are extracted.
  SmallVector<const Expr *> leaves;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  llvm::SetVector<const Expr *> nodes;
  nodes.insert(expr);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Expr *node = nodes[i];
    SmallVector<AffineExpr> results;
    bool isOperand = node->kind == Expr::Kind::Element && node->tensor &&
                     isa<RankedTensorType>(node->tensor.getType()) &&
                     llvm::all_of(node->operands, [&](const Expr *index) {
                       if (index->kind != Expr::Kind::Index)
                         return false;
                       if (index->linear == Linear::get(0)) {
                         results.push_back(builder.getAffineConstantExpr(0));
                         return true;
                       }
                       std::optional<unsigned> var = index->linear.getVar();
                       const auto *position =
                           var ? llvm::find(variables, *var) : variables.end();
                       if (position == variables.end())
                         return false;
                       int64_t size = cast<ShapedType>(node->tensor.getType())
                                          .getDimSize(results.size());
                       const auto &variable = context.getVariable(*var);
                       if (variable.size ? *variable.size != size
                                         : !ShapedType::isDynamic(size))
                         return false;
                       results.push_back(builder.getAffineDimExpr(
                           std::distance(variables.begin(), position)));
                       return true;
                     });
    if (isOperand) {
      leaves.push_back(node);
      inputs.push_back(node->tensor);
      maps.push_back(
          AffineMap::get(variables.size(), 0, results, builder.getContext()));
      continue;
    }
    nodes.insert(node->operands.begin(), node->operands.end());
  }
  maps.push_back(builder.getMultiDimIdentityMap(variables.size()));
  SmallVector<utils::IteratorType> iterators(variables.size(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, empty.getType(), inputs, empty, maps, iterators,
             [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
               llvm::DenseMap<const Expr *, Value> arguments;
               for (auto [leaf, arg] : llvm::zip_first(leaves, args))
                 arguments[leaf] = arg;
               BodyEmitter emitter(b, bodyLoc, context, variables, arguments);
               linalg::YieldOp::create(b, bodyLoc, emitter.emit(expr, element));
             })
      .getResult(0);
}
