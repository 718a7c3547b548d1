//===- LoweringUtils.cpp - Shared by the lowerings to linalg --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small builders.
//
//===----------------------------------------------------------------------===//

#include "LoweringUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

Value relattn::convertFloat(OpBuilder &builder, Location loc, Value value,
                            Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type, value);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, type, value);
  assert(value.getType() == type && "f16 and bf16 do not mix in one op");
  return value;
}

Value relattn::createFloatConstant(OpBuilder &builder, Location loc, Type type,
                                   double value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getFloatAttr(type, value));
}

Value relattn::createFilledTensor(OpBuilder &builder, Location loc,
                                  ArrayRef<OpFoldResult> sizes,
                                  Type elementType, double value) {
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, elementType);
  Value scalar = createFloatConstant(builder, loc, elementType, value);
  return linalg::FillOp::create(builder, loc, scalar, empty).getResult(0);
}

Value relattn::createOffset(OpBuilder &builder, Location loc, Value query,
                            Value key, Value queryOffset) {
  if (queryOffset)
    query = arith::AddIOp::create(builder, loc, query, queryOffset);
  return arith::SubIOp::create(builder, loc, key, query);
}

Value relattn::extractIndex(OpBuilder &builder, Location loc, Value tensor,
                            Value position) {
  Value entry = tensor::ExtractOp::create(builder, loc, tensor, position);
  if (entry.getType().isIndex())
    return entry;
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    entry);
}

Value relattn::createBiasStrip(OpBuilder &builder, Location loc,
                               BiasSchemeAttrInterface scheme, Value bias,
                               Value zero, Value init) {
  auto stripType = cast<RankedTensorType>(init.getType());
  int64_t rank = stripType.getRank();
  MLIRContext *context = builder.getContext();
  auto getOffset = [&](OpBuilder &b, Location loc, unsigned dimension) {
    Value place = linalg::IndexOp::create(b, loc, dimension);
    return arith::SubIOp::create(b, loc, place, zero);
  };
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);

  // A function of the offset without buckets: one pass.
  if (!scheme.getNumBuckets()) {
    auto generic = linalg::GenericOp::create(
        builder, loc, stripType, ValueRange{}, init,
        AffineMap::getMultiDimIdentityMap(rank, context), iterators,
        [&](OpBuilder &b, Location loc, ValueRange) {
          Value head =
              rank == 2 ? Value(linalg::IndexOp::create(b, loc, 0)) : Value();
          Value value = scheme.buildBias(b, loc, bias, /*zero=*/Value(), head,
                                         getOffset(b, loc, rank - 1));
          value = convertFloat(b, loc, value, stripType.getElementType());
          linalg::YieldOp::create(b, loc, value);
        });
    return generic.getResult(0);
  }

  OpFoldResult length = tensor::getMixedSize(builder, loc, init, rank - 1);
  Type i32 = builder.getI32Type();
  Value noIds = tensor::EmptyOp::create(builder, loc, length, i32);
  Value ids = linalg::GenericOp::create(
                  builder, loc, noIds.getType(), ValueRange{}, noIds,
                  AffineMap::getMultiDimIdentityMap(1, context),
                  utils::IteratorType::parallel,
                  [&](OpBuilder &b, Location loc, ValueRange) {
                    Value bucket =
                        scheme.buildBucket(b, loc, getOffset(b, loc, 0));
                    Value id = arith::IndexCastOp::create(b, loc, i32, bucket);
                    linalg::YieldOp::create(b, loc, id);
                  })
                  .getResult(0);
  AffineMap lastOnly =
      AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1));
  auto generic = linalg::GenericOp::create(
      builder, loc, stripType, ids, init,
      ArrayRef<AffineMap>{lastOnly,
                          AffineMap::getMultiDimIdentityMap(rank, context)},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value bucket =
            arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
        Value head =
            rank == 2 ? Value(linalg::IndexOp::create(b, loc, 0)) : Value();
        Value value = detail::buildTableRead(b, loc, bias, bucket, head);
        value = convertFloat(b, loc, value, stripType.getElementType());
        linalg::YieldOp::create(b, loc, value);
      });
  return generic.getResult(0);
}
