//===- EmitProducts.cpp - Products on the matrix unit ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mma.m16n8k16 with factors of 16 bits and accumulators of f32. The scores'
// accumulators are the next product's first factor as they lie: no exchange
// between lanes, only a rounding to the factors' type.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::relattn;

/// Two elements of 16 bits as an operand of mma: bf16 as i32.
static Value asOperand(OpBuilder &b, Location loc, Value pair) {
  auto type = cast<VectorType>(pair.getType());
  if (!type.getElementType().isBF16())
    return pair;
  Value bits = vector::BitCastOp::create(
      b, loc, VectorType::get({1}, b.getI32Type()), pair);
  return vector::ExtractOp::create(b, loc, bits, ArrayRef<int64_t>{0});
}

/// Four matrices of 8 x 8 from shared memory, as operands of mma.
SmallVector<Value> TileEmitter::loadMatrices(Value storage, ValueRange leading,
                                             Value row, Value column,
                                             bool isTransposed) {
  SmallVector<Value> place(leading);
  place.append({row, column});
  Type element = cast<MemRefType>(storage.getType()).getElementType();
  Value matrices =
      nvgpu::LdMatrixOp::create(b, loc, VectorType::get({4, 2}, element),
                                storage, place, isTransposed, 4);
  SmallVector<Value> operands;
  for (int64_t i = 0; i < 4; ++i)
    operands.push_back(asOperand(
        b, loc,
        vector::ExtractOp::create(b, loc, matrices, ArrayRef<int64_t>{i})));
  return operands;
}

/// accumulator + a * factor.
SmallVector<Value> TileEmitter::multiply(ArrayRef<Value> a,
                                         ArrayRef<Value> factor,
                                         ArrayRef<Value> accumulator) {
  SmallVector<Type> types(accumulators.getNumRegisters(), b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  NVVM::MMATypes element =
      a[0].getType().isInteger(32) ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
  auto mma = NVVM::MmaOp::create(
      b, loc, type, a, factor, accumulator, ArrayRef<int64_t>{16, 8, 16},
      std::nullopt, std::nullopt, std::array{element, element},
      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  SmallVector<Value> results;
  for (int64_t i = 0; i < accumulators.getNumRegisters(); ++i)
    results.push_back(
        LLVM::ExtractValueOp::create(b, loc, mma, ArrayRef<int64_t>{i}));
  return results;
}

/// The warp's queries, d from `first` to `last`: by row tile, then by d.
SmallVector<Value> TileEmitter::loadQueries(linalg::GenericOp op, int64_t first,
                                            int64_t last) {
  View query = getView(op.getDpsInputs()[0]);
  AffineMap lanes =
      Fragment::getLdmatrixRows(b.getContext(), /*rowsFirst=*/true);
  Value row = add(warpRow, apply(lanes.getSubMap({0}), lane));
  Value column = apply(lanes.getSubMap({1}), lane);
  SmallVector<Value> fragments;
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    for (int64_t d = first; d < last; d += factors.getNumColumns())
      llvm::append_range(fragments,
                         loadMatrices(query.tile->storage, {},
                                      add(row, rowTile * factors.getNumRows()),
                                      add(column, d),
                                      /*isTransposed=*/false));
  return fragments;
}

LogicalResult TileEmitter::emitScores(linalg::GenericOp op) {
  View scores = getView(op.getDpsInits()[0]);
  const Staged &keys = staged[0];
  if (!scores.tile || getRoot(op.getDpsInputs()[1]) != getRoot(keys.operand))
    return fail(op, "other keys than in the last loop");
  AffineMap lanes =
      Fragment::getLdmatrixRows(b.getContext(), /*rowsFirst=*/false);
  Value row = apply(lanes.getSubMap({0}), lane);
  Value column = apply(lanes.getSubMap({1}), lane);
  int64_t depth = factors.getNumColumns(), depthTiles = keys.columns / depth;
  int64_t width = accumulators.getNumColumns(),
          numRegisters = accumulators.getNumRegisters();
  // By row tile and then by column tile.
  int64_t columnTiles = keys.rows / width;
  SmallVector<SmallVector<Value>> sums(schedule.rowTiles * columnTiles);
  auto forEach =
      [&](function_ref<void(int64_t, int64_t, SmallVector<Value> &)> body) {
        for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
          for (int64_t tile = 0; tile < columnTiles; ++tile)
            body(rowTile, tile, sums[rowTile * columnTiles + tile]);
      };
  forEach([&](int64_t rowTile, int64_t tile, SmallVector<Value> &sum) {
    for (int64_t reg = 0; reg < numRegisters; ++reg)
      sum.push_back(
          loadRegister(scores.tile->storage,
                       getMatrixRegister(*scores.tile, rowTile, tile, reg)));
  });
  // Two column tiles for each ldmatrix.
  auto multiplyPair = [&](int64_t pair, int64_t d,
                          function_ref<ArrayRef<Value>(int64_t)> getQuery) {
    SmallVector<Value> key =
        loadMatrices(keys.storage, currentBuffer, add(row, pair * 2 * width),
                     add(column, d * depth), /*isTransposed=*/false);
    for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
      for (int64_t half = 0; half < 2; ++half) {
        auto &sum = sums[rowTile * columnTiles + pair * 2 + half];
        sum =
            multiply(getQuery(rowTile), ArrayRef(key).slice(2 * half, 2), sum);
      }
  };
  if (sharesQueries) {
    for (int64_t d = 0; d < depthTiles; ++d) {
      SmallVector<Value> query = loadQueries(op, d * depth, (d + 1) * depth);
      for (int64_t pair = 0; pair < columnTiles / 2; ++pair)
        multiplyPair(pair, d, [&](int64_t rowTile) {
          return ArrayRef(query).slice(rowTile * 4, 4);
        });
    }
  } else {
    for (int64_t pair = 0; pair < columnTiles / 2; ++pair)
      for (int64_t d = 0; d < depthTiles; ++d)
        multiplyPair(pair, d, [&](int64_t rowTile) {
          return ArrayRef(queryFragments)
              .slice((rowTile * depthTiles + d) * 4, 4);
        });
  }
  forEach([&](int64_t rowTile, int64_t tile, SmallVector<Value> &sum) {
    for (int64_t reg = 0; reg < numRegisters; ++reg)
      storeRegister(sum[reg], scores.tile->storage,
                    getMatrixRegister(*scores.tile, rowTile, tile, reg));
  });
  return success();
}

/// The running output times a factor of each row, unless it is 1 for all rows
/// of the warp.
LogicalResult TileEmitter::emitRareRescale(linalg::LinalgOp op) {
  View rowFactors = getView(op.getDpsInputs()[0]);
  if (!rowFactors.tile || rowFactors.tile->place != Tile::Row)
    return fail(op, "a factor that is no row's");
  Value differs;
  for (int64_t reg = 0; reg < schedule.rowTiles * numRowGroups; ++reg) {
    Value factor = loadRegister(rowFactors.tile->storage, reg);
    Value one =
        arith::ConstantOp::create(b, loc, b.getOneAttr(factor.getType()));
    Value isOther =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, factor, one);
    differs = differs ? compute<arith::OrIOp>(differs, isOther) : isOther;
  }
  Value allLanes = arith::ConstantIntOp::create(b, loc, -1, 32);
  differs = NVVM::VoteSyncOp::create(b, loc, b.getI1Type(), allLanes, differs,
                                     NVVM::VoteSyncKind::any);
  auto branch = scf::IfOp::create(b, loc, differs, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  return emitElements(op);
}

LogicalResult TileEmitter::emitValues(linalg::GenericOp op) {
  View weights = getView(op.getDpsInputs()[0]),
       out = getView(op.getDpsInits()[0]);
  const Staged &valueTile = staged[1];
  if (!weights.tile || !out.tile ||
      getRoot(op.getDpsInputs()[1]) != getRoot(valueTile.operand))
    return fail(op, "other values than in the last loop");
  Type element = cast<MemRefType>(valueTile.storage.getType()).getElementType();
  auto end = dyn_cast<Value>(weights.sizes[1]);
  Value columnEnd = end ? lookup(end) : Value();
  Value nothing = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0f));
  int64_t width = accumulators.getNumColumns(),
          numRegisters = accumulators.getNumRegisters();

  /// Weights that are not there count as 0.
  auto loadWeight = [&](int64_t rowTile, int64_t n, int64_t reg) -> Value {
    int64_t half = reg / numRegisters;
    int64_t own = *accumulators.find(factors, reg, 0, -half * width);
    Value weight = loadRegister(
        weights.tile->storage,
        getMatrixRegister(*weights.tile, rowTile, n / width + half, own));
    if (!columnEnd)
      return weight;
    Value column = add(registerColumn[own], n + half * width);
    Value isThere = isBefore(column, columnEnd);
    return arith::SelectOp::create(b, loc, isThere, weight, nothing);
  };
  AffineMap lanes =
      Fragment::getLdmatrixRows(b.getContext(), /*rowsFirst=*/true);
  Value row = apply(lanes.getSubMap({0}), lane);
  Value column = apply(lanes.getSubMap({1}), lane);
  for (int64_t n = 0; n < valueTile.rows; n += factors.getNumColumns()) {
    SmallVector<SmallVector<Value>> a(schedule.rowTiles);
    for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
      for (int64_t reg = 0; reg < factors.getNumRegisters(); reg += 2) {
        Value pair = vector::FromElementsOp::create(
            b, loc, VectorType::get({2}, b.getF32Type()),
            ValueRange{loadWeight(rowTile, n, reg),
                       loadWeight(rowTile, n, reg + 1)});
        Value narrow = arith::TruncFOp::create(
            b, loc, VectorType::get({2}, element), pair);
        a[rowTile].push_back(asOperand(b, loc, narrow));
      }
    for (int64_t e = 0; e < valueTile.columns; e += 2 * width) {
      SmallVector<Value> factor =
          loadMatrices(valueTile.storage, currentBuffer, add(row, n),
                       add(column, e), /*isTransposed=*/true);
      for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
        for (int64_t half = 0; half < 2; ++half) {
          auto getRegister = [&](int64_t reg) {
            return getMatrixRegister(*out.tile, rowTile, e / width + half, reg);
          };
          SmallVector<Value> sum;
          for (int64_t reg = 0; reg < numRegisters; ++reg)
            sum.push_back(loadRegister(out.tile->storage, getRegister(reg)));
          sum = multiply(a[rowTile], ArrayRef(factor).slice(2 * half, 2), sum);
          for (int64_t reg = 0; reg < numRegisters; ++reg)
            storeRegister(sum[reg], out.tile->storage, getRegister(reg));
        }
    }
  }
  return success();
}
