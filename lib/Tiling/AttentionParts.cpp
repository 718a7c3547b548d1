//===- AttentionParts.cpp - Keys in parts that are merged -----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One block of queries with fewer panels than threads: each worker takes a part
// of the keys, and relattn.merge joins their states (Dao et al. 2023, flash
// decoding). The number of parts follows from shape and threads, and they are
// merged in their order: the same bits from run to run.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

/// ceil(threads / entries), as far as there are blocks of keys; null if the
/// keys stay whole: where it is known that there are no more parts of them than
/// panels (for rows, than one), which are blocks of their own then.
Value AttentionTiler::getNumParts() {
  int64_t others = isRow() ? 1 : sizes.panels, entries = 1;
  for (OpFoldResult count : counts)
    entries *= getConstantIntValue(count).value_or(1);
  if (!sizes.maySplitKeys ||
      llvm::divideCeilSigned(sizes.workers, entries) <= others)
    return {};
  Value blocks = ceilDiv(numKeys, number(sizes.keys));
  if (getConstantIntValue(blocks).value_or(others + 1) <= others)
    return {};
  // No entry is no work either.
  Value wanted = ceilDiv(number(sizes.workers), max(getNumEntries(), one));
  return max(one, min(wanted, blocks));
}

SmallVector<Value>
AttentionTiler::tileParts(Value numParts,
                          SmallVectorImpl<scf::ForallOp> &loops) {
  // One block is all queries.
  firstQuery = zero;
  blockQueries = numQueries;
  numPanels = number(sizes.panels); // none is empty
  // out, max and sum: [b.., parts, panels, (e,) lanes].
  size_t numOuter = counts.size() + 1;
  SmallVector<int64_t> shapes[] = {{sizes.panels, width, sizes.lanes},
                                   {sizes.panels, sizes.lanes},
                                   {sizes.panels, sizes.lanes}};
  SmallVector<SmallVector<OpFoldResult>> tails;
  SmallVector<Value> wholes;
  for (ArrayRef<int64_t> shape : shapes) {
    SmallVector<OpFoldResult> all(counts);
    all.push_back(getAsOpFoldResult(numParts));
    tails.push_back(getAsIndexOpFoldResult(b.getContext(), shape));
    all.append(tails.back());
    SmallVector<int64_t> allShape;
    SmallVector<Value> dynamicSizes;
    dispatchIndexOpFoldResults(all, dynamicSizes, allShape);
    // Two empty tensors of one type would be merged and one of them copied.
    wholes.push_back(bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(allShape, accumulator), dynamicSizes));
  }
  SmallVector<OpFoldResult> workers(counts);
  workers.push_back(getAsOpFoldResult(numParts));
  auto partial = scf::ForallOp::create(b, loc, workers, wholes,
                                       /*mapping=*/std::nullopt);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(partial.getBody());
    SmallVector<Value> ivs = partial.getInductionVars();
    enter(ValueRange(ivs).drop_back());
    auto [begin, end] = getVisibleKeys();
    // Whole blocks.
    Value blocks = ceilDiv(max(sub(end, begin), zero), number(sizes.keys));
    Value keys = mul(ceilDiv(blocks, numParts), number(sizes.keys));
    Value first = add(begin, mul(ivs.back(), keys));
    SmallVector<Value> state = createKeyLoop(first, min(end, add(first, keys)));
    b.setInsertionPointToEnd(partial.getTerminator().getBody());
    for (auto [part, whole, tail] :
         llvm::zip(state, partial.getRegionIterArgs(), tails)) {
      SmallVector<OpFoldResult> offsets = getAsOpFoldResult(ivs),
                                extents(numOuter, b.getIndexAttr(1));
      offsets.append(tail.size(), b.getIndexAttr(0));
      extents.append(tail);
      SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
      tensor::ParallelInsertSliceOp::create(b, loc, part, whole, offsets,
                                            extents, strides);
    }
  }

  workers.pop_back();
  if (workers.empty())
    workers.push_back(b.getIndexAttr(1));
  auto merging = scf::ForallOp::create(b, loc, workers, op.getInits(),
                                       /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(merging.getBody());
  SmallVector<Value> ivs = merging.getInductionVars();
  ivs.truncate(counts.size());
  enter(ivs);
  SmallVector<Value> parts;
  for (auto [whole, shape, tail] :
       llvm::zip(partial.getResults(), shapes, tails)) {
    SmallVector<OpFoldResult> offsets = getAsOpFoldResult(ivs),
                              extents(counts.size(), b.getIndexAttr(1));
    offsets.append(tail.size() + 1, b.getIndexAttr(0));
    extents.push_back(getAsOpFoldResult(numParts));
    extents.append(tail);
    SmallVector<int64_t> partShape = {
        getConstantIntValue(numParts).value_or(ShapedType::kDynamic)};
    partShape.append(shape);
    parts.push_back(createSlice(b, loc, whole, offsets, extents,
                                RankedTensorType::get(partShape, accumulator)));
  }
  // Over (part, panel, lane, e).
  auto getMap = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(4, dims, b.getContext());
  };
  auto merge = MergeOp::create(
      b, loc, parts, createState(),
      b.getAffineMapArrayAttr({getMap({0, 1, 3, 2}), getMap({0, 1, 2})}));
  store(merging, merge.getResults());
  loops.append({partial, merging});
  return merging.getResults();
}
