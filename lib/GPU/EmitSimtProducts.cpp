//===- EmitSimtProducts.cpp - Products by multiply-adds -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For any type, any depth and any target: a thread has whole rows, so that
// nothing goes between threads but shared memory. Its scores and output are in
// registers; keys and values are read from shared memory, all threads the same
// element. The products are loops, over d and over keys, whose bodies have one
// multiply-add for each register.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "TileEmitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

/// accumulator[reg] += a * factor.
void TileEmitter::multiplyAdd(Value storage, int64_t reg, Value a,
                              Value factor) {
  Value sum = loadRegister(storage, reg);
  storeRegister(createMultiplyAdd(b, loc, a, factor, sum), storage, reg);
}

LogicalResult TileEmitter::emitSimtScores(linalg::GenericOp op) {
  View query = getView(op.getDpsInputs()[0]),
       scores = getView(op.getDpsInits()[0]);
  const Staged &keys = staged[0];
  Type type = cast<MemRefType>(scores.tile->storage.getType()).getElementType();
  int64_t depth = llvm::alignTo(keys.columns, Schedule::kSimtStep);
  auto loop = scf::ForOp::create(b, loc, index(0), index(depth),
                                 index(Schedule::kSimtStep));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  auto load = [&](Value storage, ValueRange place) {
    Value element = memref::LoadOp::create(b, loc, storage, place);
    return convertFloat(b, loc, element, type);
  };
  SmallVector<Value> columns;
  for (int64_t step = 0; step < Schedule::kSimtStep; ++step)
    columns.push_back(add(loop.getInductionVar(), step));
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile) {
    Value row = add(registerRow[0], rowTile * accumulators.getNumRows());
    SmallVector<Value> own;
    for (Value column : columns)
      own.push_back(load(query.tile->storage, {row, column}));
    for (int64_t n = 0; n < keys.rows; ++n)
      for (auto [column, element] : llvm::zip(columns, own))
        multiplyAdd(scores.tile->storage,
                    getMatrixRegister(*scores.tile, rowTile, n, 0), element,
                    load(keys.storage, {currentBuffer, index(n), column}));
  }
  return success();
}

LogicalResult TileEmitter::emitSimtValues(linalg::GenericOp op) {
  View weights = getView(op.getDpsInputs()[0]),
       out = getView(op.getDpsInits()[0]);
  const Staged &values = staged[1];
  Type type = cast<MemRefType>(out.tile->storage.getType()).getElementType();
  // A copy that is indexed by the loop: the scores stay registers.
  int64_t keys = weights.tile->columns;
  Value copy = createRegisters(schedule.rowTiles * keys, type);
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    for (int64_t n = 0; n < keys; ++n) {
      int64_t reg = getMatrixRegister(*weights.tile, rowTile, n, 0);
      storeRegister(loadRegister(weights.tile->storage, reg), copy, reg);
    }
  // Keys that are not there are not met.
  auto loop =
      scf::ForOp::create(b, loc, index(0), lookup(weights.sizes[1]), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value n = loop.getInductionVar();
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile) {
    Value weight = memref::LoadOp::create(b, loc, copy, add(n, rowTile * keys));
    for (int64_t e = 0; e < out.tile->columns; ++e) {
      Value element = memref::LoadOp::create(
          b, loc, values.storage, ValueRange{currentBuffer, n, index(e)});
      multiplyAdd(out.tile->storage,
                  getMatrixRegister(*out.tile, rowTile, e, 0), weight,
                  convertFloat(b, loc, element, type));
    }
  }
  return success();
}
