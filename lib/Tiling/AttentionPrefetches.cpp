//===- AttentionPrefetches.cpp - What a worker touches next ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of queries is read once, its results are written once, and the first
// panel meets a block of keys before the others do. While products are computed
// nothing of that is waited for. With each step of a whole panel come some rows
// of the next block's queries and of this one's results, so that all have come
// when the keys end; with that of the first panel, the values of the block of
// keys. (A product reads the values a few columns at a time, which the hardware
// does not foresee; it does foresee keys, which are read row after row.) Steps
// of fewer lanes, and those that a band leaves out, bring nothing: of 512
// causal queries and two panels a quarter of the rows and of the values come
// when they are read.
//
// 512 queries of 8 heads are 1.01 to 1.03 times as fast (Emerald Rapids, one
// thread), of 32 heads, which are in the third-level cache, 1.07, causal 1.12;
// 1024 of D 128 1.06, 2048 of D 64 1.01; 128 of 8 heads, which stay in the
// second-level cache, 0.98 to 1.00; by the matrix unit 1.00 to 1.05. All rows
// of a step at once, before its products, gain half of that: 16 lines are on
// their way at a time. Keys as well: no more, or less.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace mlir::relattn;

/// The block after the current one, in the order of the workers: of the same
/// entry, or the next one's first. After the last of all comes the first.
void AttentionTiler::findNextBlock(ValueRange ivs, Value numBlocks,
                                   Value blockSize) {
  SmallVector<Value> sizes = llvm::map_to_vector(counts, [&](OpFoldResult n) {
    return getValueOrCreateConstantIndexOp(b, loc, n);
  });
  sizes.push_back(numBlocks);
  SmallVector<Value> next(ivs);
  Value carries;
  for (size_t i = ivs.size(); i-- > 0;) {
    Value after = add(ivs[i], one);
    Value wraps =
        compute<arith::CmpIOp>(arith::CmpIPredicate::eq, after, sizes[i]);
    next[i] = compute<arith::SelectOp>(wraps, zero, after);
    if (carries) {
      next[i] = compute<arith::SelectOp>(carries, next[i], ivs[i]);
      wraps = compute<arith::AndIOp>(wraps, carries);
    }
    carries = wraps;
  }
  nextQuery = mul(sub(sub(numBlocks, one), next.back()), blockSize);
  nextQueries = min(sub(numQueries, nextQuery), blockSize);
  for (auto [dimension, index] : llvm::zip(batch, next))
    nextEntry[dimension] = index;
}

/// Rows `first` and up of a tensor's current entry, where a row is contiguous
/// in its slice of rows.
void AttentionTiler::createPrefetch(Value tensor, AffineMap map,
                                    unsigned column, Value first, Value count,
                                    bool isWritten) {
  SmallVector<OpFoldResult> offsets, extents;
  SmallVector<unsigned> order;
  int64_t columns = column == Dim::D ? depth : width;
  getSlice(
      map,
      {{Dim::M, {first, count}}, {column, {zero, b.getIndexAttr(columns)}}},
      offsets, extents, order);
  SmallVector<int64_t> shape = {ShapedType::kDynamic, columns};
  // (See mayKeepUnit: such a slice would have to be collapsed.)
  if (order[0] != Dim::M || mayKeepUnit(shape))
    return;
  Value rows =
      createSlice(b, loc, tensor, offsets, extents,
                  RankedTensorType::get(shape, getElementTypeOrSelf(tensor)));
  PrefetchOp::create(b, loc, rows, isWritten);
}

/// What comes with a panel's step over a block of keys.
void AttentionTiler::createPrefetches(Value panel) {
  if (!sizes.arePairs() && valueOrder[0] == Dim::N &&
      !isBlockCopied(value, valueMap, Dim::E)) {
    Value isFirst =
        compute<arith::CmpIOp>(arith::CmpIPredicate::eq, panel, zero);
    Value count = compute<arith::SelectOp>(isFirst, blockKeys, zero);
    Value rows = createSlice(b, loc, valueBlock,
                             {getAsOpFoldResult(count), b.getIndexAttr(width)});
    PrefetchOp::create(b, loc, rows, /*write=*/false);
  }
  if (!destination)
    return;
  // An equal share of the rows with each step.
  Value blockSize = number(sizes.keys);
  Value numBlocks = ceilDiv(max(sub(endKey, beginKey), one), blockSize);
  Value numSteps = mul(numBlocks, numPanels);
  Value step =
      add(mul(compute<arith::DivUIOp>(sub(firstKey, beginKey), blockSize),
              numPanels),
          panel);
  auto getShare = [&](Value first, Value count) -> std::pair<Value, Value> {
    Value share = ceilDiv(count, numSteps);
    Value begin = min(mul(step, share), count);
    return {add(first, begin), min(share, sub(count, begin))};
  };
  auto [result, numResults] = getShare(firstQuery, blockQueries);
  createPrefetch(destination, op.getOutputMap(), Dim::E, result, numResults,
                 /*isWritten=*/true);
  auto [query, numQueries] = getShare(nextQuery, nextQueries);
  std::swap(entry, nextEntry);
  createPrefetch(op.getQuery(), op.getQueryMap(), Dim::D, query, numQueries,
                 /*isWritten=*/false);
  std::swap(entry, nextEntry);
}
