//===- StepBuilder.cpp - Builders of one online step ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "StepBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::relattn;

Value relattn::createShift(OpBuilder &builder, Location loc, Value maximum) {
  Type type = maximum.getType();
  Value lowest = createFloatConstant(builder, loc, type,
                                     -std::numeric_limits<double>::infinity());
  Value isNone = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ,
                                       maximum, lowest);
  Value zero = createFloatConstant(builder, loc, type, 0.0);
  return arith::SelectOp::create(builder, loc, isNone, zero, maximum);
}

SmallVector<Value> StepBuilder::accumulateProduct(OpBuilder &builder,
                                                  Location loc,
                                                  ValueRange args) {
  Type type = args[2].getType();
  Value product = arith::MulFOp::create(
      builder, loc, convertFloat(builder, loc, args[0], type),
      convertFloat(builder, loc, args[1], type));
  return {arith::AddFOp::create(builder, loc, args[2], product)};
}

SmallVector<Value> StepBuilder::accumulate(OpBuilder &builder, Location loc,
                                           ValueRange args) {
  Value addend = convertFloat(builder, loc, args[0], args[1].getType());
  return {arith::AddFOp::create(builder, loc, args[1], addend)};
}

SmallVector<Value> StepBuilder::takeMaximum(OpBuilder &builder, Location loc,
                                            ValueRange args) {
  return {arith::MaximumFOp::create(builder, loc, args[0], args[1])};
}

Value StepBuilder::createFill(double value, Value init,
                              std::optional<TileKind> kind) {
  auto fill = linalg::FillOp::create(b, loc, createFloat(value), init);
  if (kind)
    setTileKind(fill, *kind);
  return fill.getResult(0);
}

linalg::GenericOp StepBuilder::createGeneric(std::optional<TileKind> kind,
                                             ArrayRef<unsigned> loops,
                                             ArrayRef<unsigned> reduced,
                                             ArrayRef<MappedValue> ins,
                                             ArrayRef<MappedValue> outs,
                                             GenericBody body) {
  auto generic = createGenericOver(b, loc, loops, reduced, ins, outs, body);
  if (kind)
    setTileKind(generic, *kind);
  return generic;
}

Value StepBuilder::createBuffer(ArrayRef<int64_t> shape,
                                ArrayRef<OpFoldResult> sizes, Type element) {
  if (!element)
    element = type;
  if (ShapedType::isDynamicShape(shape))
    return tensor::EmptyOp::create(b, loc, sizes, element);
  Operation *worker = op;
  while (!worker->getParentOp()->hasTrait<OpTrait::HasParallelRegion>() &&
         !worker->getParentOp()->hasTrait<OpTrait::IsIsolatedFromAbove>())
    worker = worker->getParentOp();
  Value buffer;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(worker->getBlock());
    buffer = bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(shape, element), ValueRange());
  }
  if (getConstantIntValues(sizes) == SmallVector<int64_t>(shape))
    return buffer;
  return createSlice(b, loc, buffer, sizes);
}

OpFoldResult StepBuilder::getNumKeys() {
  if (Value keys = op.getNumKeys())
    return getAsOpFoldResult(keys);
  unsigned position =
      *op.getKeyMap().getResultPosition(b.getAffineDimExpr(Dim::N));
  return tensor::getMixedSize(b, loc, op.getKey(), position);
}

int64_t StepBuilder::getMaxKeys() {
  return getConstantIntValue(getNumKeys())
      .value_or(op.getMaxKeys().value_or(ShapedType::kDynamic));
}

/// 0 where a mask of i1 is true, -inf where it is false. Booleans are bytes in
/// memory and bits in a vector: this is left to loops, which LLVM vectorises.
Value StepBuilder::widenMask(Value mask, AffineMap map) {
  auto maskType = cast<RankedTensorType>(mask.getType());
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, mask);
  for (auto [size, expr] : llvm::zip(maskType.getShape(), map.getResults())) {
    bool isKeys = cast<AffineDimExpr>(expr).getPosition() == Dim::N;
    shape.push_back(ShapedType::isStatic(size) ? size
                    : isKeys ? getMaxKeys()
                             : op.getMax().getType().getDimSize(0));
  }
  Value out = createBuffer(shape, sizes);
  AffineMap identity = b.getMultiDimIdentityMap(shape.size());
  SmallVector<utils::IteratorType> iterators(shape.size(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, out.getType(), mask, out,
             ArrayRef<AffineMap>{identity, identity}, iterators,
             [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
               Value zero = createFloatConstant(inner, bodyLoc, type, 0.0);
               Value hidden = createFloatConstant(
                   inner, bodyLoc, type,
                   -std::numeric_limits<double>::infinity());
               linalg::YieldOp::create(
                   inner, bodyLoc,
                   Value(arith::SelectOp::create(inner, bodyLoc, args[0], zero,
                                                 hidden)));
             })
      .getResult(0);
}
