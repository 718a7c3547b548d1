//===- AttentionCopies.cpp - Keys and values where they are read fast -----===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of keys that lie 4 kB apart (16 heads of 64 numbers in f32) share a few
// sets of the first-level cache: read where they are, each block of queries
// takes 1.25 times as long. Copied for each block of queries, into a tile, they
// cost 5 to 8 %; copied once for all they cost nothing that can be measured
// from 256 queries on.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// Whether the rows of `map` follow each other.
static bool isContiguous(AffineMap map, unsigned column) {
  ArrayRef<AffineExpr> results = map.getResults();
  MLIRContext *context = map.getContext();
  return results.take_back(2) ==
         ArrayRef{getAffineDimExpr(AttentionOp::N, context),
                  getAffineDimExpr(column, context)};
}

/// One block of queries reads each key once anyway; so do the blocks of each
/// head that shares it, and the panels that it is cut into for more workers,
/// whose copies would not be worth a pass of their own.
bool AttentionTiler::isReadOften() {
  int64_t queries = op.getStaticSize(Dim::M);
  bool isOneBlock =
      ShapedType::isStatic(queries) && queries <= sizes.lanes * sizes.panels;
  // In somebody's parallel loop each iteration would copy all keys.
  return !isRow() && !isOneBlock &&
         !op->getParentWithTrait<OpTrait::HasParallelRegion>();
}

void AttentionTiler::copyKeysAndValues() {
  key = op.getKey();
  keyMap = op.getKeyMap();
  value = op.getValue();
  valueMap = op.getValueMap();
  if (sizes.arePairs())
    return copyPairs();
  if (sizes.areWorkgroups || !isReadOften())
    return;
  if (inputType != accumulator || !isContiguous(keyMap, Dim::D))
    std::tie(key, keyMap) = copyRows(key, keyMap, Dim::D);
  if (inputType != accumulator || !isContiguous(valueMap, Dim::E))
    std::tie(value, valueMap) = copyRows(value, valueMap, Dim::E);
}

/// Those of b, g, r that `map` has, and how many of each there are.
void AttentionTiler::getEntrySizes(AffineMap map,
                                   SmallVectorImpl<OpFoldResult> &counts,
                                   SmallVectorImpl<unsigned> &dimensions) {
  for (unsigned dimension : {Dim::B, Dim::G, Dim::R}) {
    if (!map.isFunctionOfDim(dimension))
      continue;
    dimensions.push_back(dimension);
    counts.push_back(op.getMixedSize(b, dimension));
  }
}

/// A loop over workers that fill `init`: `body` gets it, in the entry of one of
/// them, and its first key.
Value AttentionTiler::forEachRowBlock(
    AffineMap map, Value init, function_ref<void(scf::ForallOp, Value)> body) {
  SmallVector<OpFoldResult> workers;
  SmallVector<unsigned> dims;
  getEntrySizes(map, workers, dims);
  Value rows = number(kRowsPerWorker);
  // In the order of memory: of BSHD, whose heads lie side by side, attention is
  // 1.01 times as fast as with one head copied after the other. Several threads
  // copy the heads that they will read.
  size_t at = workers.size();
  if (sizes.workers <= 1) {
    unsigned keys = *map.getResultPosition(b.getAffineDimExpr(Dim::N));
    at = llvm::count_if(dims, [&](unsigned dimension) {
      return *map.getResultPosition(b.getAffineDimExpr(dimension)) < keys;
    });
  }
  workers.insert(workers.begin() + at,
                 getAsOpFoldResult(ceilDiv(numKeys, rows)));
  auto forall = scf::ForallOp::create(b, loc, workers, init,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs = forall.getInductionVars();
  Value *place = ivs.begin() + at;
  Value first = mul(*place, rows);
  ivs.erase(place);
  for (auto [dimension, iv] : llvm::zip(dims, ivs))
    entry[dimension] = iv;
  body(forall, first);
  entry.clear();
  return forall.getResult(0);
}

/// The tensor as [b, g, r, n, column], without the dimensions that it has not,
/// in the accumulator's type. Keys beyond their lengths are not read.
std::pair<Value, AffineMap>
AttentionTiler::copyRows(Value tensor, AffineMap map, unsigned column) {
  SmallVector<OpFoldResult> shape;
  SmallVector<unsigned> dims;
  getEntrySizes(map, shape, dims);
  for (unsigned dimension : {unsigned(Dim::N), column}) {
    dims.push_back(dimension);
    shape.push_back(op.getMixedSize(b, dimension));
  }
  AffineMap copyMap = AffineMap::getMultiDimMapWithTargets(
      map.getNumDims(), dims, b.getContext());
  Value init = tensor::EmptyOp::create(b, loc, shape, accumulator);
  Value copy =
      forEachRowBlock(map, init, [&](scf::ForallOp worker, Value first) {
        Value count = min(sub(numKeys, first), number(kRowsPerWorker));
        if (Value lengths = op.getKeyLengths();
            lengths && map.isFunctionOfDim(Dim::B)) {
          Value length = extractIndex(b, loc, lengths, entry.lookup(Dim::B));
          count = max(zero, min(count, sub(length, first)));
        }
        Ranges kept = {{Dim::N, {first, count}},
                       {column, {zero, op.getMixedSize(b, column)}}};
        SmallVector<unsigned> order, copyOrder;
        Value block = extract(tensor, map, kept, order);
        Value whole = worker.getRegionIterArgs()[0];
        Value part = extract(whole, copyMap, kept, copyOrder);
        insert(copyBlock(block, order, part), whole, copyMap, kept, worker);
      });
  return {copy, copyMap};
}

/// A block of keys or values with rows that follow each other, or, as
/// `columns`, with columns that do.
Value AttentionTiler::copyBlock(Value block, ArrayRef<unsigned> order,
                                Value out, bool columns) {
  bool isTransposed = (order[0] != Dim::N) != columns;
  AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
  AffineMap read = isTransposed ? AffineMap::get(2, 0, {d1, d0}, b.getContext())
                                : b.getMultiDimIdentityMap(2);
  return createGeneric(
             isTransposed ? TileKind::Pack : TileKind::Copy, block, out,
             {read, b.getMultiDimIdentityMap(2)}, 2,
             [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
               return convertFloat(inner, bodyLoc, values[0], accumulator);
             })
      .getResult(0);
}

/// Whether single blocks of keys or values are copied, into a tile: narrow
/// types, unless a single query widens them as it reads them, and for rows what
/// is not contiguous along `column`.
bool AttentionTiler::isBlockCopied(Value tensor, AffineMap map,
                                   unsigned column) {
  bool isAlong = map.getResults().back() == b.getAffineDimExpr(column);
  bool isNarrow = getElementTypeOrSelf(tensor) != accumulator;
  if (isRow())
    return !isAlong || (isNarrow && op.getStaticSize(Dim::M) != 1);
  return isNarrow;
}

/// Keys or values of the current block, in the accumulator type.
Value AttentionTiler::getBlock(Value tensor, AffineMap map, unsigned column,
                               Value scratch,
                               SmallVectorImpl<unsigned> &order) {
  int64_t columns = column == Dim::D ? depth : width;
  Value block = extract(tensor, map,
                        {{Dim::N, {firstKey, blockKeys}},
                         {column, {zero, b.getIndexAttr(columns)}}},
                        order);
  if (!scratch)
    return block;
  SmallVector<OpFoldResult> extents = {blockKeys, b.getIndexAttr(columns)};
  Value copy = copyBlock(block, order, createSlice(b, loc, scratch, extents));
  order.assign({Dim::N, column});
  return copy;
}
