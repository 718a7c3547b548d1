//===- UniformScalar.cpp - Numbers that every iteration shares ------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "UniformScalar.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

/// Expressions of scales are short; deeper ones are left as run-time values.
static constexpr int kMaxDepth = 12;

/// The tensor behind reshapes, casts and broadcasts: as uniform as this one.
static Value skipMoves(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (auto broadcast = dyn_cast<linalg::BroadcastOp>(op))
      tensor = broadcast.getInput();
    else if (isa<tensor::CastOp, tensor::ExpandShapeOp,
                 tensor::CollapseShapeOp>(op))
      tensor = op->getOperand(0);
    else
      break;
  }
  return tensor;
}

/// What a tensor is filled with: a scalar outside, or null.
static Value getFillScalar(Value tensor) {
  tensor = skipMoves(tensor);
  // A fill may convert; then the scalar is another number.
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>())
    return fill.value().getType() == getElementTypeOrSelf(tensor) ? fill.value()
                                                                  : Value();
  if (auto splat = tensor.getDefiningOp<tensor::SplatOp>())
    return splat.getInput();
  if (auto generic = tensor.getDefiningOp<linalg::GenericOp>())
    if (std::optional<Value> scalar = linalg::isaFillOpInterface(generic))
      return *scalar;
  return nullptr;
}

static bool hasOneElement(Type type) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  return shaped && shaped.hasStaticShape() && shaped.getNumElements() == 1;
}

static bool isUniformTensor(Value tensor) {
  if (hasOneElement(tensor.getType()) || getFillScalar(tensor))
    return true;
  DenseElementsAttr values;
  return matchPattern(skipMoves(tensor), m_Constant(&values)) &&
         values.isSplat();
}

static Block *getBody(LinalgOp op) { return op ? op.getBlock() : nullptr; }

/// The operand that a block argument of `op` reads, or null.
static OpOperand *getReadOperand(Value value, LinalgOp op) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != getBody(op))
    return nullptr;
  return &op->getOpOperand(argument.getArgNumber());
}

static bool isUniform(Value value, LinalgOp op, int depth) {
  if (OpOperand *operand = getReadOperand(value, op)) {
    if (!isa<ShapedType>(operand->get().getType()))
      return true;
    return op.isDpsInput(operand) && isUniformTensor(operand->get());
  }
  if (isa<ShapedType>(value.getType()))
    return isUniformTensor(value);
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != getBody(op))
    return true;
  if (definition->hasTrait<OpTrait::ConstantLike>())
    return true;
  // linalg.index has no operands and differs at every iteration.
  return depth < kMaxDepth && definition->getNumOperands() != 0 &&
         definition->getNumRegions() == 0 && isMemoryEffectFree(definition) &&
         llvm::all_of(
             definition->getOperands(),
             [&](Value operand) {
               // A tensor captured by the body, not one of its operands.
               return isa<ShapedType>(operand.getType()) ||
                      isUniform(operand, op, depth + 1);
             });
}

bool relattn::isUniform(Value value, LinalgOp op) {
  return ::isUniform(value, op, 0);
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

static std::optional<APFloat> toFloat(Attribute attribute) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attribute))
    return number.getValue();
  auto dense = dyn_cast_or_null<DenseElementsAttr>(attribute);
  if (dense && dense.isSplat() && isa<FloatType>(dense.getElementType()))
    return dense.getSplatValue<APFloat>();
  return std::nullopt;
}

static std::optional<APFloat> evaluate(Value value, LinalgOp op, int depth);

/// `definition` on numbers, in its own type and rounding to nearest.
static std::optional<APFloat> evaluate(Operation *definition,
                                       ArrayRef<APFloat> operands) {
  auto type =
      dyn_cast<FloatType>(getElementTypeOrSelf(definition->getResult(0)));
  if (!type)
    return std::nullopt;
  constexpr auto nearest = APFloat::rmNearestTiesToEven;
  APFloat result = operands[0];
  if (isa<arith::ExtFOp, arith::TruncFOp>(definition)) {
    bool ignored;
    result.convert(type.getFloatSemantics(), nearest, &ignored);
    return result;
  }
  if (isa<arith::NegFOp>(definition))
    return neg(result);
  if (isa<arith::MulFOp>(definition)) {
    result.multiply(operands[1], nearest);
    return result;
  }
  if (isa<arith::DivFOp>(definition)) {
    result.divide(operands[1], nearest);
    return result;
  }
  // math.sqrt, rsqrt and whatever else folds scalars.
  if (isa<ShapedType>(definition->getResult(0).getType()))
    return std::nullopt;
  SmallVector<Attribute> attributes;
  for (auto [number, operand] : llvm::zip(operands, definition->getOperands()))
    attributes.push_back(FloatAttr::get(operand.getType(), number));
  SmallVector<OpFoldResult> results;
  if (failed(definition->fold(attributes, results)) || results.size() != 1)
    return std::nullopt;
  return toFloat(dyn_cast<Attribute>(results.front()));
}

static std::optional<APFloat> evaluate(Value value, LinalgOp op, int depth) {
  if (depth == kMaxDepth)
    return std::nullopt;
  if (OpOperand *operand = getReadOperand(value, op))
    return op.isDpsInput(operand) ? evaluate(operand->get(), nullptr, depth + 1)
                                  : std::nullopt;
  if (isa<ShapedType>(value.getType())) {
    value = skipMoves(value);
    if (Value scalar = getFillScalar(value))
      return evaluate(scalar, nullptr, depth + 1);
    // One element, computed by a body.
    auto generic = value.getDefiningOp<linalg::GenericOp>();
    if (generic && hasOneElement(value.getType()) &&
        generic->getNumResults() == 1)
      return evaluate(generic.getBody()->getTerminator()->getOperand(0),
                      generic, depth + 1);
  }
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)))
    return toFloat(constant);
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getNumResults() != 1 ||
      definition->getNumOperands() == 0 || definition->getNumRegions() != 0 ||
      !isMemoryEffectFree(definition))
    return std::nullopt;
  if (auto extract = dyn_cast<tensor::ExtractOp>(definition))
    return isUniformTensor(extract.getTensor())
               ? evaluate(extract.getTensor(), nullptr, depth + 1)
               : std::nullopt;
  SmallVector<APFloat> operands;
  for (Value operand : definition->getOperands()) {
    std::optional<APFloat> number = evaluate(operand, op, depth + 1);
    if (!number)
      return std::nullopt;
    operands.push_back(*number);
  }
  return evaluate(definition, operands);
}

std::optional<APFloat> relattn::getUniformConstant(Value value, LinalgOp op) {
  return evaluate(value, op, 0);
}

//===----------------------------------------------------------------------===//
// Materialisation
//===----------------------------------------------------------------------===//

static Value materializeTensor(RewriterBase &rewriter, Value tensor) {
  if (Value scalar = getFillScalar(tensor))
    return scalar;
  Location loc = tensor.getLoc();
  DenseElementsAttr values;
  if (matchPattern(skipMoves(tensor), m_Constant(&values)))
    return arith::ConstantOp::create(rewriter, loc,
                                     values.getSplatValue<TypedAttr>());
  Value zero;
  SmallVector<Value> indices;
  for (int64_t i = 0, e = cast<ShapedType>(tensor.getType()).getRank(); i < e;
       ++i) {
    if (!zero)
      zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    indices.push_back(zero);
  }
  return tensor::ExtractOp::create(rewriter, loc, tensor, indices);
}

Value relattn::materializeUniform(RewriterBase &rewriter, Value value,
                                  LinalgOp op) {
  if (OpOperand *operand = getReadOperand(value, op))
    value = operand->get();
  if (isa<ShapedType>(value.getType()))
    return materializeTensor(rewriter, value);
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != getBody(op))
    return value;
  IRMapping mapping;
  for (Value operand : definition->getOperands())
    if (!isa<ShapedType>(operand.getType()))
      mapping.map(operand, materializeUniform(rewriter, operand, op));
  return rewriter.clone(*definition, mapping)->getResult(0);
}
