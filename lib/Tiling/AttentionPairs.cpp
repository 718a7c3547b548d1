//===- AttentionPairs.cpp - Factors for a CPU's matrix unit ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys and values are split once for all queries, into copies of 2 bytes for
// each part of a number; queries for each block of them. Values are transposed,
// in tiles of 16 rows that follow each other: rows of a whole head's columns
// would share a set of the cache. Keys that no query sees are not read, as
// elsewhere.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <climits>

using namespace mlir;
using namespace mlir::relattn;

/// Part `part` of a tile's chunks, from number `first` of dimension `dim` on,
/// as the words of a slice of `pairs` with the other of its dimensions.
static Value splitTile(OpBuilder &b, Location loc, Value tile, int64_t first,
                       Value pairs, ArrayRef<OpFoldResult> offsets,
                       ArrayRef<OpFoldResult> extents, int64_t numParts,
                       int64_t part, unsigned dim) {
  SmallVector<int64_t> kept;
  for (OpFoldResult size : extents)
    if (getConstantIntValue(size) != 1)
      kept.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  Value words = createSlice(b, loc, pairs, offsets, extents,
                            RankedTensorType::get(kept, b.getI32Type()));
  SmallVector<OpFoldResult> at(2, b.getIndexAttr(0)),
      size = tensor::getMixedSizes(b, loc, tile);
  size[dim] = b.getIndexAttr(kWords);
  auto slice = [&](Value tensor, int64_t offset) {
    at[dim] = b.getIndexAttr(offset);
    return createSlice(b, loc, tensor, at, size);
  };
  for (int64_t word = 0; word < kept[dim]; word += kWords) {
    int64_t number = first + 2 * word;
    Value low = slice(tile, number), high = slice(tile, number + kWords);
    Value split =
        createSplit(b, loc, low, high, slice(words, word), part, numParts);
    words = insertSlice(b, loc, split, words, at, size);
  }
  return insertSlice(b, loc, words, pairs, offsets, extents);
}

/// Of the keys of a worker that begin with `first`, the end of those that some
/// query sees, and how many before them no one does. These are never read: what
/// they hold would meet weights of 0 in the same chunk, and NaN stay NaN.
std::pair<Value, Value> AttentionTiler::getSeenRows(Value first) {
  enter({});
  firstQuery = zero;
  blockQueries = numQueries;
  auto [begin, end] = getVisibleKeys();
  Value rows = number(kRowsPerWorker);
  Value count = max(zero, min(sub(end, first), rows));
  return {min(count, max(zero, sub(begin, first))), count};
}

/// A part of a tile becomes 0.
Value AttentionTiler::clear(Value tile, ArrayRef<OpFoldResult> offsets,
                            ArrayRef<OpFoldResult> extents) {
  Type element = getElementTypeOrSelf(tile);
  Value nothing = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  Value part = createSlice(b, loc, tile, offsets, extents);
  part = linalg::FillOp::create(b, loc, nothing, part).getResult(0);
  return insertSlice(b, loc, part, tile, offsets, extents);
}

/// A block of keys as rows of a tile, padded by zeros to whole chunks of d.
Value AttentionTiler::createPaddedKeys(Value first, Value count) {
  auto index = [&](int64_t value) { return b.getIndexAttr(value); };
  int64_t padded = getPairDepth();
  SmallVector<unsigned> order;
  Value block = extract(
      key, keyMap, {{Dim::N, {first, count}}, {Dim::D, {zero, index(depth)}}},
      order);
  Value tile = createScratch({kRowsPerWorker, padded}, accumulator);
  SmallVector<OpFoldResult> start(2, index(0)),
      extents = {getAsOpFoldResult(count), index(depth)};
  Value rows = copyBlock(block, order, createSlice(b, loc, tile, extents));
  tile = insertSlice(b, loc, rows, tile, start, extents);
  if (depth == padded)
    return tile;
  return clear(tile, {index(0), index(depth)},
               {index(kRowsPerWorker), index(padded - depth)});
}

/// A block of values as columns of a tile; those that no query sees are 0,
/// since their weights, which are 0, are multiplied by them. (What pads e is of
/// no consequence.)
Value AttentionTiler::createValueColumns(Value first, Value hidden,
                                         Value count) {
  auto index = [&](int64_t value) { return b.getIndexAttr(value); };
  SmallVector<unsigned> order;
  Value block = extract(
      value, valueMap,
      {{Dim::N, {first, count}}, {Dim::E, {zero, index(width)}}}, order);
  Value tile = createScratch({getPairWidth(), kRowsPerWorker}, accumulator);
  SmallVector<OpFoldResult> start(2, index(0)),
      extents = {index(width), getAsOpFoldResult(count)};
  Value columns = copyBlock(block, order, createSlice(b, loc, tile, extents),
                            /*columns=*/true);
  tile = insertSlice(b, loc, columns, tile, start, extents);
  Value rest = sub(number(kRowsPerWorker), count);
  tile = clear(tile, {index(0), getAsOpFoldResult(count)},
               {index(getPairWidth()), getAsOpFoldResult(rest)});
  if (!bandLow)
    return tile;
  return clear(tile, start, {index(getPairWidth()), getAsOpFoldResult(hidden)});
}

/// Keys that can be split where they are, [n, d]; null if they cannot.
Value AttentionTiler::getPlainKeys(Value first, Value count) {
  if (getElementTypeOrSelf(key) != accumulator || depth != getPairDepth() ||
      op.getStaticSize(Dim::N) == 1 ||
      keyMap.getResults().back() != b.getAffineDimExpr(Dim::D))
    return {};
  SmallVector<unsigned> order;
  return extract(
      key, keyMap,
      {{Dim::N, {first, count}}, {Dim::D, {zero, b.getIndexAttr(depth)}}},
      order);
}

/// For each key, or each chunk of them, `shape` of words: room for those of
/// each of b, g, r that `map` has.
Value AttentionTiler::createPairs(AffineMap map, Value count,
                                  ArrayRef<int64_t> shape) {
  SmallVector<OpFoldResult> extents;
  SmallVector<unsigned> dims;
  getEntrySizes(map, extents, dims);
  extents.push_back(getAsOpFoldResult(count));
  llvm::append_range(extents, getAsIndexOpFoldResult(b.getContext(), shape));
  return tensor::EmptyOp::create(b, loc, extents, b.getI32Type());
}

/// Where `count` keys, or chunks, of the current entry lie in pairs, and what
/// these are.
Value AttentionTiler::getPairBlock(Value pairs, AffineMap map, Value first,
                                   OpFoldResult count,
                                   SmallVectorImpl<OpFoldResult> &offsets,
                                   SmallVectorImpl<OpFoldResult> &extents) {
  for (unsigned dimension : {Dim::B, Dim::G, Dim::R})
    if (map.isFunctionOfDim(dimension)) {
      offsets.push_back(getAsOpFoldResult(entry.lookup(dimension)));
      extents.push_back(b.getIndexAttr(1));
    }
  auto shape = llvm::to_vector(cast<RankedTensorType>(pairs.getType())
                                   .getShape()
                                   .drop_front(offsets.size()));
  shape[0] = getConstantIntValue(count).value_or(ShapedType::kDynamic);
  offsets.push_back(getAsOpFoldResult(first));
  extents.push_back(count);
  for (int64_t size : ArrayRef(shape).drop_front()) {
    offsets.push_back(b.getIndexAttr(0));
    extents.push_back(b.getIndexAttr(size));
  }
  return createSlice(b, loc, pairs, offsets, extents,
                     RankedTensorType::get(shape, b.getI32Type()));
}

Value AttentionTiler::getPairs(Value pairs, AffineMap map, Value first,
                               Value count) {
  SmallVector<OpFoldResult> offsets, extents;
  return getPairBlock(pairs, map, first, getAsOpFoldResult(count), offsets,
                      extents);
}

/// The pairs of `count` keys, or chunks, from `first` on become what `fill`
/// makes of them.
void AttentionTiler::fillPairs(scf::ForallOp worker, AffineMap map, Value first,
                               OpFoldResult count,
                               function_ref<Value(Value)> fill) {
  Value pairs = worker.getRegionIterArgs()[0];
  SmallVector<OpFoldResult> offsets, extents;
  Value block = fill(getPairBlock(pairs, map, first, count, offsets, extents));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(worker.getTerminator().getBody());
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  tensor::ParallelInsertSliceOp::create(b, loc, block, pairs, offsets, extents,
                                        strides);
}

/// With the scale in them, which leaves the digits alone if it is a power of
/// two.
int64_t AttentionTiler::getQueryParts() {
  return op.getScale().getExactLog2Abs() != INT_MIN ? getNumPartsOf(inputType)
                                                    : kMaxParts;
}

/// No more than their products with the weights need.
int64_t AttentionTiler::getValueParts() {
  return std::min(getNumPartsOf(getElementTypeOrSelf(op.getValue())),
                  std::max<int64_t>(sizes.weightParts, 2));
}

void AttentionTiler::copyPairs() {
  key = op.getKey();
  keyMap = op.getKeyMap();
  value = op.getValue();
  valueMap = op.getValueMap();
  auto index = [&](int64_t value) { return b.getIndexAttr(value); };
  Value padded = alignUp(numKeys, kRowsPerWorker);
  int64_t words = getPairDepth() / 2, columns = getPairWidth();
  int64_t keyParts = getNumPartsOf(getElementTypeOrSelf(key)),
          valueParts = getValueParts();
  Value keys = createPairs(keyMap, padded, {keyParts, words});
  keys = forEachRowBlock(keyMap, keys, [&](scf::ForallOp worker, Value first) {
    auto [hidden, count] = getSeenRows(first);
    Value tile = getPlainKeys(first, count);
    OpFoldResult rows = tile ? OpFoldResult(count) : index(kRowsPerWorker);
    if (!tile)
      tile = createPaddedKeys(first, count);
    OpFoldResult before = getAsOpFoldResult(hidden);
    fillPairs(worker, keyMap, first, rows, [&](Value block) {
      for (int64_t part = 0; part < keyParts; ++part)
        block =
            splitTile(b, loc, tile, 0, block, {index(0), index(part), index(0)},
                      {rows, index(1), index(words)}, keyParts, part,
                      /*dim=*/1);
      if (!bandLow)
        return block;
      return clear(block, {index(0), index(0), index(0)},
                   {before, index(keyParts), index(words)});
    });
  });
  constexpr int64_t kChunks = kRowsPerWorker / kChunk;
  Value chunkSize = number(kChunk);
  Value values =
      createPairs(valueMap, compute<arith::DivSIOp>(padded, chunkSize),
                  {valueParts, columns, kWords});
  values =
      forEachRowBlock(valueMap, values, [&](scf::ForallOp worker, Value first) {
        auto [hidden, count] = getSeenRows(first);
        Value tile = createValueColumns(first, hidden, count);
        Value chunk = compute<arith::DivSIOp>(first, chunkSize);
        fillPairs(worker, valueMap, chunk, index(kChunks), [&](Value block) {
          for (int64_t i = 0; i < kChunks; ++i)
            for (int64_t part = 0; part < valueParts; ++part)
              block =
                  splitTile(b, loc, tile, i * kChunk, block,
                            {index(i), index(part), index(0), index(0)},
                            {index(1), index(1), index(columns), index(kWords)},
                            valueParts, part, /*dim=*/1);
          return block;
        });
      });
  key = keys;
  value = values;
}

/// The pairs of a panel of queries, [d, lanes], into [panels, part, word,
/// lanes].
Value AttentionTiler::insertQueryPairs(Value tile, Value panel, Value panels) {
  auto index = [&](int64_t value) { return b.getIndexAttr(value); };
  int64_t numParts = getQueryParts();
  for (int64_t part = 0; part < numParts; ++part)
    panels = splitTile(
        b, loc, tile, 0, panels,
        {getAsOpFoldResult(panel), index(part), index(0), index(0)},
        {index(1), index(1), index(getPairDepth() / 2), index(sizes.lanes)},
        numParts, part, /*dim=*/0);
  return panels;
}
