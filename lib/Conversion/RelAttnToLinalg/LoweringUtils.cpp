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

Value relattn::createMultiplyAdd(OpBuilder &builder, Location loc, Value x,
                                 Value y, Value z) {
  constexpr auto contract = arith::FastMathFlags::contract;
  Value product = arith::MulFOp::create(builder, loc, x, y, contract);
  return arith::AddFOp::create(builder, loc, product, z, contract);
}

Value relattn::createSlice(OpBuilder &builder, Location loc, Value tensor,
                           ArrayRef<OpFoldResult> offsets,
                           ArrayRef<OpFoldResult> sizes,
                           RankedTensorType type) {
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, type, tensor, offsets,
                                        sizes, strides);
}

Value relattn::createSlice(OpBuilder &builder, Location loc, Value tensor,
                           ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  return createSlice(builder, loc, tensor, offsets, sizes);
}

Value relattn::insertSlice(OpBuilder &builder, Location loc, Value tensor,
                           Value whole, ArrayRef<OpFoldResult> offsets,
                           ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, tensor, whole, offsets,
                                       sizes, strides);
}

linalg::GenericOp relattn::createGenericOver(OpBuilder &builder, Location loc,
                                             ArrayRef<unsigned> loops,
                                             ArrayRef<unsigned> reduced,
                                             ArrayRef<MappedValue> ins,
                                             ArrayRef<MappedValue> outs,
                                             GenericBody body) {
  SmallVector<utils::IteratorType> iterators;
  for (unsigned dimension : loops)
    iterators.push_back(llvm::is_contained(reduced, dimension)
                            ? utils::IteratorType::reduction
                            : utils::IteratorType::parallel);
  SmallVector<AffineMap> maps;
  auto localize = [&](AffineMap map) {
    auto exprs = llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) {
      unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
      return builder.getAffineDimExpr(llvm::find(loops, dimension) -
                                      loops.begin());
    });
    maps.push_back(
        AffineMap::get(loops.size(), 0, exprs, builder.getContext()));
  };
  SmallVector<Value> inputs, outputs;
  SmallVector<Type> types;
  for (auto [value, map] : ins) {
    inputs.push_back(value);
    localize(map);
  }
  for (auto [value, map] : outs) {
    outputs.push_back(value);
    types.push_back(value.getType());
    localize(map);
  }
  return linalg::GenericOp::create(
      builder, loc, types, inputs, outputs, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(b, bodyLoc, body(b, bodyLoc, args));
      });
}

Value relattn::buildStripElement(OpBuilder &builder, Location loc,
                                 const StripSource &source, Type type, Value id,
                                 Value head, Value offset) {
  Value value;
  if (id) {
    Value bucket =
        arith::IndexCastOp::create(builder, loc, builder.getIndexType(), id);
    value = detail::buildTableRead(builder, loc, source.bias, bucket, head);
  } else if (source.scheme) {
    value = source.scheme.buildBias(builder, loc, source.bias, source.zero,
                                    head, offset);
  } else {
    return createFloatConstant(builder, loc, type, 0.0);
  }
  return convertFloat(builder, loc, value, type);
}

Value relattn::createBiasStrip(OpBuilder &builder, Location loc,
                               BiasSchemeAttrInterface scheme, Value bias,
                               Value zero, Value init) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank();
  AffineMap whole = builder.getMultiDimIdentityMap(rank);
  AffineMap places = whole.getSliceMap(rank - 1, 1);
  auto getOffset = [&](OpBuilder &b, Location loc, int64_t placeDim) {
    Value place = linalg::IndexOp::create(b, loc, placeDim);
    return Value(arith::SubIOp::create(b, loc, place, zero));
  };

  SmallVector<AffineMap> maps;
  SmallVector<Value> ids;
  if (scheme.getNumBuckets()) {
    SmallVector<OpFoldResult> length = {
        tensor::getMixedSize(builder, loc, init, rank - 1)};
    Type i32 = builder.getI32Type();
    Value empty = tensor::EmptyOp::create(builder, loc, length, i32);
    auto generic = linalg::GenericOp::create(
        builder, loc, empty.getType(), ValueRange{}, empty,
        builder.getMultiDimIdentityMap(1), utils::IteratorType::parallel,
        [&](OpBuilder &b, Location loc, ValueRange) {
          Value bucket = scheme.buildBucket(b, loc, getOffset(b, loc, 0));
          Value id = arith::IndexCastOp::create(b, loc, i32, bucket);
          linalg::YieldOp::create(b, loc, id);
        });
    ids.push_back(generic.getResult(0));
    maps.push_back(places);
  }
  maps.push_back(whole);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, ids, init, maps, loops,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value head =
            rank == 2 ? Value(linalg::IndexOp::create(b, loc, 0)) : Value();
        Value id, offset;
        if (ids.empty())
          offset = getOffset(b, loc, rank - 1);
        else
          id = args[0];
        Value value =
            buildStripElement(b, loc, {scheme, bias, /*zero=*/Value()},
                              type.getElementType(), id, head, offset);
        linalg::YieldOp::create(b, loc, value);
      });
  return generic.getResult(0);
}
