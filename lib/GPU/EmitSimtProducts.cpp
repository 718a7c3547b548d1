//===- EmitSimtProducts.cpp - Products by multiply-adds -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For any type, any depth and any target. A few rows belong to one thread or to
// a few neighbours, their peers, each of which has every so many-th column of
// the scores and of the output in registers. Queries, keys and values are read
// from shared memory, and so are the weights, which every peer of a row needs;
// what is read of one row or column serves all of the thread's columns or rows.
// The products are loops, over d and over keys, whose bodies have one
// multiply-add for each register.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "TileEmitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

/// One of the rows of this thread.
Value TileEmitter::getSimtRow(int64_t rowTile) {
  return add(registerRow[0], rowTile * accumulators.getNumRows());
}

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
  SmallVector<SmallVector<Value>> own;
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    own.push_back(llvm::map_to_vector(columns, [&](Value column) {
      return load(query.tile->storage, {getSimtRow(rowTile), column});
    }));
  for (int64_t n = 0; n < keys.rows; n += schedule.peers) {
    Value key = add(registerColumn[0], n);
    auto elements = llvm::map_to_vector(columns, [&](Value column) {
      return load(keys.storage, {currentBuffer, key, column});
    });
    for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile) {
      int64_t reg =
          getMatrixRegister(*scores.tile, rowTile, n / schedule.peers, 0);
      for (auto [factor, element] : llvm::zip(own[rowTile], elements))
        multiplyAdd(scores.tile->storage, reg, factor, element);
    }
  }
  return success();
}

/// The weights of this thread into shared memory, for its peers; behind the
/// barrier that they wait at the values are there, too, and nobody reads the
/// keys.
void TileEmitter::shareWeights(const Tile &weights) {
  Type type = cast<MemRefType>(weights.storage.getType()).getElementType();
  if (!sharedWeights)
    sharedWeights = createShared({weights.rows, weights.columns}, type);
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    for (int64_t n = 0; n < weights.columns; n += schedule.peers) {
      int64_t reg = getMatrixRegister(weights, rowTile, n / schedule.peers, 0);
      memref::StoreOp::create(
          b, loc, loadRegister(weights.storage, reg), sharedWeights,
          ValueRange{getSimtRow(rowTile), add(registerColumn[0], n)});
    }
  // The barrier before the next scores stands between these and the next
  // weights.
  waitForCopies(/*pending=*/0);
}

LogicalResult TileEmitter::emitSimtValues(linalg::GenericOp op) {
  View weights = getView(op.getDpsInputs()[0]),
       out = getView(op.getDpsInits()[0]);
  const Staged &values = staged[1];
  Type type = cast<MemRefType>(out.tile->storage.getType()).getElementType();
  shareWeights(*weights.tile);
  emitNextCopy(staged[0], add(currentKey, tileKeys), currentBuffer);
  // Keys that are not there are not met.
  auto loop =
      scf::ForOp::create(b, loc, index(0), lookup(weights.sizes[1]), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value n = loop.getInductionVar();
  SmallVector<Value> own;
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    own.push_back(memref::LoadOp::create(b, loc, sharedWeights,
                                         ValueRange{getSimtRow(rowTile), n}));
  for (int64_t e = 0; e < out.tile->paddedColumns; e += schedule.peers) {
    Value element = memref::LoadOp::create(
        b, loc, values.storage,
        ValueRange{currentBuffer, n, add(registerColumn[0], e)});
    element = convertFloat(b, loc, element, type);
    for (auto [rowTile, weight] : llvm::enumerate(own))
      multiplyAdd(out.tile->storage,
                  getMatrixRegister(*out.tile, rowTile, e / schedule.peers, 0),
                  weight, element);
  }
  return success();
}
