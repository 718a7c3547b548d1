//===- EmitSimtProducts.cpp - Products by multiply-adds -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For any type, any depth and any target. A row belongs to one thread or to a
// few neighbours, its peers, each of which has every so many-th column of the
// scores and of the output in registers: as many peers as it takes for the
// output to fit there. Queries, keys and values are read from shared memory,
// and so are the weights, which every peer of a row needs. The products are
// loops, over d and over keys, whose bodies have one multiply-add for each
// register.
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
  SmallVector<Value> own;
  for (Value column : columns)
    own.push_back(load(query.tile->storage, {registerRow[0], column}));
  for (int64_t n = 0; n < keys.rows; n += schedule.peers) {
    Value key = add(registerColumn[0], n);
    for (auto [column, element] : llvm::zip(columns, own))
      multiplyAdd(scores.tile->storage,
                  getMatrixRegister(*scores.tile, 0, n / schedule.peers, 0),
                  element, load(keys.storage, {currentBuffer, key, column}));
  }
  return success();
}

/// The weights of this thread into shared memory, and those of its peers.
void TileEmitter::shareWeights(const Tile &weights) {
  Type type = cast<MemRefType>(weights.storage.getType()).getElementType();
  if (!sharedWeights)
    sharedWeights = createShared({weights.rows, weights.columns}, type);
  for (int64_t n = 0; n < weights.columns; n += schedule.peers)
    memref::StoreOp::create(
        b, loc,
        loadRegister(weights.storage,
                     getMatrixRegister(weights, 0, n / schedule.peers, 0)),
        sharedWeights, ValueRange{registerRow[0], add(registerColumn[0], n)});
  // The barrier before the next copy stands between these and the next weights.
  if (schedule.peers > 1)
    gpu::BarrierOp::create(b, loc);
}

LogicalResult TileEmitter::emitSimtValues(linalg::GenericOp op) {
  View weights = getView(op.getDpsInputs()[0]),
       out = getView(op.getDpsInits()[0]);
  const Staged &values = staged[1];
  Type type = cast<MemRefType>(out.tile->storage.getType()).getElementType();
  shareWeights(*weights.tile);
  // Keys that are not there are not met.
  auto loop =
      scf::ForOp::create(b, loc, index(0), lookup(weights.sizes[1]), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value n = loop.getInductionVar();
  Value weight = memref::LoadOp::create(b, loc, sharedWeights,
                                        ValueRange{registerRow[0], n});
  for (int64_t e = 0; e < out.tile->paddedColumns; e += schedule.peers) {
    Value element = memref::LoadOp::create(
        b, loc, values.storage,
        ValueRange{currentBuffer, n, add(registerColumn[0], e)});
    multiplyAdd(out.tile->storage,
                getMatrixRegister(*out.tile, 0, e / schedule.peers, 0), weight,
                convertFloat(b, loc, element, type));
  }
  return success();
}
