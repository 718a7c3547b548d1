//===- AttentionStrip.cpp - Bias and band as one strip --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spread by each worker for each block of keys: a strip for all, spread before,
// is a loop of its own for the threads, or read from the cache of another one
// (3 to 5 of 75 us at 8 heads, 77 queries, two threads). Read backwards by
// panels, so that their queries are one load, and forwards by rows, so that
// keys are. Of many buckets (of a few: AttentionRuns.cpp), that of each place
// is computed once for all heads, in a loop of one thread: to start others
// takes longer.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// The offset of a place x of the strip: (N - 1) - x - query_offset, read at
/// (N - 1) + i - j; for rows x - (M - 1) - query_offset, read at
/// (M - 1) + j - i. The last lanes of the last panel may be beyond the queries;
/// what they read is never used.
Value AttentionTiler::getStripOffset(OpBuilder &builder, Location bodyLoc,
                                     Value place, Value batch) {
  Value last = stripEnd;
  Value offset = isRow() ? arith::SubIOp::create(builder, bodyLoc, place, last)
                         : arith::SubIOp::create(builder, bodyLoc, last, place);
  Value own = op.getQueryOffset();
  if (!own)
    return offset;
  if (batch)
    own = extractIndex(builder, bodyLoc, own, batch);
  return arith::SubIOp::create(builder, bodyLoc, offset, own);
}

/// The bucket ids of all places, [(B,) L]; batch entries side by side.
Value AttentionTiler::createBucketIds(Value length) {
  Type i32 = b.getI32Type();
  auto fill = [&](Value ids, Value batch) -> Value {
    auto loop = scf::ForOp::create(
        b, loc, zero, length, one, ids,
        [&](OpBuilder &builder, Location bodyLoc, Value place,
            ValueRange carried) {
          Value offset = getStripOffset(builder, bodyLoc, place, batch);
          Value bucket =
              stripSource->scheme.buildBucket(builder, bodyLoc, offset);
          Value id = arith::IndexCastOp::create(builder, bodyLoc, i32, bucket);
          Value next =
              tensor::InsertOp::create(builder, bodyLoc, id, carried[0], place);
          scf::YieldOp::create(builder, bodyLoc, next);
        });
    return loop.getResult(0);
  };
  SmallVector<OpFoldResult> places = {getAsOpFoldResult(length)};
  if (!stripHasBatch)
    return fill(tensor::EmptyOp::create(b, loc, places, i32), Value());
  OpFoldResult entries = getAsOpFoldResult(getSize(Dim::B));
  Value init = tensor::EmptyOp::create(
      b, loc, ArrayRef<OpFoldResult>{entries, places[0]}, i32);
  auto forall = scf::ForallOp::create(b, loc, entries, init,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  Value batch = forall.getInductionVar(0),
        whole = forall.getRegionIterArgs()[0];
  SmallVector<OpFoldResult> offsets = {batch, b.getIndexAttr(0)},
                            extents = {b.getIndexAttr(1), places[0]},
                            strides(2, b.getIndexAttr(1));
  int64_t numPlaces = cast<RankedTensorType>(init.getType()).getShape().back();
  Value ids = fill(createSlice(b, loc, whole, offsets, extents,
                               RankedTensorType::get(numPlaces, i32)),
                   batch);
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, ids, whole, offsets, extents,
                                        strides);
  return forall.getResult(0);
}

/// Fills `row` with the strip of one batch entry and head (null: shared) from
/// place `first` on.
Value AttentionTiler::createStripRow(Value row, Value first, Value batch,
                                     Value head) {
  if (std::optional<StepFunction> runs = getRuns())
    return createRuns(*runs, row, first, batch, head);
  SmallVector<OpFoldResult> size = {tensor::getMixedSize(b, loc, row, 0)};
  SmallVector<Value> ids;
  if (bucketIds) {
    SmallVector<OpFoldResult> offsets = {getAsOpFoldResult(first)},
                              extents = size;
    if (stripHasBatch) {
      offsets.insert(offsets.begin(), getAsOpFoldResult(batch));
      extents.insert(extents.begin(), b.getIndexAttr(1));
    }
    auto type = RankedTensorType::get(
        {getConstantIntValue(size[0]).value_or(ShapedType::kDynamic)},
        b.getI32Type());
    ids.push_back(createSlice(b, loc, bucketIds, offsets, extents, type));
  }
  BandAttr band = op.getBandAttr();
  SmallVector<AffineMap> maps(ids.size() + 1, b.getMultiDimIdentityMap(1));
  auto generic = linalg::GenericOp::create(
      b, loc, row.getType(), ids, row, maps, utils::IteratorType::parallel,
      [&](OpBuilder &builder, Location bodyLoc, ValueRange args) {
        Value offset;
        if (ids.empty() || band) {
          Value place = linalg::IndexOp::create(builder, bodyLoc, 0);
          place = arith::AddIOp::create(builder, bodyLoc, place, first);
          offset = getStripOffset(builder, bodyLoc, place, batch);
        }
        Value bias =
            buildStripElement(builder, bodyLoc, *stripSource, accumulator,
                              ids.empty() ? Value() : args[0], head, offset);
        if (sizes.areWorkgroups)
          bias = limitBias(builder, bodyLoc, bias);
        auto hide = [&](std::optional<int64_t> bound,
                        arith::CmpIPredicate visible) {
          if (!bound)
            return;
          Value limit =
              arith::ConstantIndexOp::create(builder, bodyLoc, *bound);
          Value inside =
              arith::CmpIOp::create(builder, bodyLoc, visible, offset, limit);
          Value hidden =
              createFloatConstant(builder, bodyLoc, accumulator,
                                  -std::numeric_limits<double>::infinity());
          bias =
              arith::SelectOp::create(builder, bodyLoc, inside, bias, hidden);
        };
        if (band) {
          hide(bandLow, arith::CmpIPredicate::sge);
          hide(bandHigh, arith::CmpIPredicate::sle);
        }
        linalg::YieldOp::create(builder, bodyLoc, bias);
      });
  return generic.getResult(0);
}

/// Of the current entry: g * R + r.
Value AttentionTiler::getHead() {
  auto find = [&](unsigned dimension) {
    Value value = entry.lookup(dimension);
    return value ? value : zero;
  };
  return add(mul(find(Dim::G), getSize(Dim::R)), find(Dim::R));
}

/// What all workers share: of many intervals, the bucket ids.
void AttentionTiler::createStrip() {
  BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
  StripSource source;
  if (scheme && !isa<DenseAttr>(scheme))
    source = {scheme, op.getBias(), op.getZero()};
  if (!source.scheme && !op.getBandAttr())
    return;
  stripSource = source;
  Value offsets = op.getQueryOffset();
  stripHasBatch = offsets && !offsets.getType().isIndex();
  stripHasHead =
      source.scheme &&
      !scheme.isSharedByHeads(cast<RankedTensorType>(source.bias.getType()));
  stripEnd = sub(isRow() ? numQueries : numKeys, one);
  Value length = add(add(numQueries, numKeys), lanes);
  if (sizes.areWorkgroups)
    createWorkgroupStrip(length);
  else if (source.scheme && scheme.getNumBuckets() && !getRuns())
    bucketIds = createBucketIds(length);
}

/// For the strips of blocks of keys; null if there is none.
Value AttentionTiler::createStripScratch() {
  if (!stripSource)
    return {};
  return createScratch(
      {getStripMargin() + sizes.keys + sizes.panels * sizes.lanes},
      accumulator);
}

/// The strip of the current blocks of queries and keys.
void AttentionTiler::createBlockStrip(Value scratch) {
  if (!scratch)
    return;
  Value places, first = firstKey;
  if (isRow()) {
    places = add(blockKeys, stripEnd);
  } else {
    places = add(blockKeys, mul(numPanels, lanes));
    first = add(sub(numKeys, add(firstKey, blockKeys)), firstQuery);
  }
  int64_t margin = getStripMargin();
  SmallVector<OpFoldResult> start = {b.getIndexAttr(margin)},
                            size = {getAsOpFoldResult(places)};
  strip = createStripRow(createSlice(b, loc, scratch, start, size), first,
                         stripHasBatch ? entry.lookup(Dim::B) : Value(),
                         stripHasHead ? getHead() : Value());
  if (margin == 0)
    return;
  strip = insertSlice(b, loc, strip, scratch, start, size);
  size = {getAsOpFoldResult(add(places, number(margin)))};
  strip = createSlice(b, loc, strip, size);
}

/// The strip that the current panel reads, and where offset 0 of its first
/// query and key lies in it; the panel starts at `start` of the block.
std::pair<Value, Value> AttentionTiler::getStrip(Value start) {
  if (!stripSource)
    return {};
  if (isRow())
    return {strip, sub(stripEnd, start)};
  Value place = add(sub(blockKeys, one), start);
  if (int64_t margin = getStripMargin())
    place = add(place, number(margin));
  return {strip, place};
}
