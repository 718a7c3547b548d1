//===- OnlineAttentionOp.cpp - relattn.online_attention -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifier.
//
//===----------------------------------------------------------------------===//

#include "OffsetOperands.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {
/// An operand over some dimensions of the iteration space.
struct MappedOperand {
  StringRef name;
  Value tensor;
  AffineMap map;
};
} // namespace

/// C1: `map` has just the dimensions of `expected`, in any order.
static bool isOver(AffineMap map, ArrayRef<unsigned> expected) {
  if (map.getNumDims() != OnlineAttentionOp::kNumDimensions ||
      !map.isProjectedPermutation() || map.getNumResults() != expected.size())
    return false;
  return llvm::all_of(expected, [&](unsigned dimension) {
    return map.getResultPosition(getAffineDimExpr(dimension, map.getContext()))
        .has_value();
  });
}

/// C4: a map over m and n, or a part of them.
static bool isOverScores(AffineMap map) {
  return map.getNumDims() == OnlineAttentionOp::kNumDimensions &&
         map.isProjectedPermutation() &&
         llvm::all_of(map.getResults(), [](AffineExpr expr) {
           auto dim = dyn_cast<AffineDimExpr>(expr);
           return dim && dim.getPosition() <= OnlineAttentionOp::N;
         });
}

LogicalResult OnlineAttentionOp::verify() {
  if (getIndexingMaps().size() != 4)
    return emitOpError("[C1] expected 4 indexing maps, got ")
           << getIndexingMaps().size();
  if (!isOver(getQueryMap(), {M, D}) || !isOver(getKeyMap(), {N, D}) ||
      !isOver(getValueMap(), {N, E}) || !isOver(getOutputMap(), {M, E}))
    return emitOpError(
        "[C1] expected maps from (m, n, d, e) to {m, d}, {n, d}, "
        "{n, e} and {m, e}");
  AffineMap rows =
      AffineMap::get(kNumDimensions, 0, getAffineDimExpr(M, getContext()));
  SmallVector<MappedOperand> operands = {{"query", getQuery(), getQueryMap()},
                                         {"key", getKey(), getKeyMap()},
                                         {"value", getValue(), getValueMap()},
                                         {"out", getOutInit(), getOutputMap()},
                                         {"max", getMaxInit(), rows},
                                         {"sum", getSumInit(), rows}};
  if (bool(getBias()) != getBiasMap().has_value() ||
      bool(getMask()) != getMaskMap().has_value())
    return emitOpError("[C4] bias and mask come with a map");
  if (Value bias = getBias())
    operands.push_back({"bias", bias, *getBiasMap()});
  if (Value mask = getMask())
    operands.push_back({"mask", mask, *getMaskMap()});
  for (const MappedOperand &operand : ArrayRef(operands).drop_front(6))
    if (!isOverScores(operand.map))
      return emitOpError("[C4] expected a projected permutation of m and n for "
                         "the ")
             << operand.name;

  Type accumulator = getElementTypeOrSelf(getOutInit());
  if (!accumulator.isF32() && !accumulator.isF64())
    return emitOpError("[C2] expected tiles of f32 or f64, got ")
           << accumulator;
  // The factors of the products may be narrower, all alike.
  Type factor = getElementTypeOrSelf(getQuery());
  if (!accumulator.isF32() || !(factor.isF16() || factor.isBF16()))
    factor = accumulator;
  SmallVector<int64_t> sizes(kNumDimensions, ShapedType::kDynamic);
  for (auto [name, tensor, map] : operands) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Type element = type.getElementType();
    bool isFactor = name == "query" || name == "key" || name == "value";
    Type expected = isFactor ? factor : accumulator;
    bool isAddend = name == "bias" || name == "mask";
    bool mayBe = isAddend && accumulator.isF32() &&
                 (element.isF16() || element.isBF16());
    if (element != expected && !mayBe &&
        !(name == "mask" && element.isInteger(1)))
      return emitOpError("[C2] expected a ")
             << name << " of " << expected << ", got " << element;
    if (type.getRank() != int64_t(map.getNumResults()))
      return emitOpError("[C1] expected a ")
             << name << " of rank " << map.getNumResults() << ", got " << type;
    for (auto [size, expr] : llvm::zip(type.getShape(), map.getResults())) {
      unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
      // A bias or mask may end at the last query that exists.
      if (ShapedType::isDynamic(size) ||
          (dimension == M && (name == "bias" || name == "mask")))
        continue;
      if (ShapedType::isStatic(sizes[dimension]) && sizes[dimension] != size)
        return emitOpError("[C3] the ")
               << name << " has " << size << " where another operand has "
               << sizes[dimension];
      sizes[dimension] = size;
    }
    if (name == "bias" || name == "mask")
      continue;
    for (auto [size, expr] : llvm::zip(type.getShape(), map.getResults()))
      if (ShapedType::isDynamic(size) &&
          cast<AffineDimExpr>(expr).getPosition() != N)
        return emitOpError("[C3] expected static m, d and e, got a ")
               << name << " of " << type;
  }
  if (!getScale().isFinite())
    return emitOpError("[C5] expected a finite scale");
  if (getMaxKeys() && *getMaxKeys() <= 0)
    return emitOpError("[C5] expected a positive max_keys, got ")
           << *getMaxKeys();
  if (bool(getStrip()) != bool(getPlace()))
    return emitOpError("[C4] a strip comes with its place");
  if (getAscending() && !getStrip())
    return emitOpError("[C4] ascending says how a strip is read, and there is "
                       "none");
  if (Value strip = getStrip()) {
    auto type = cast<RankedTensorType>(strip.getType());
    if (type.getRank() != 1 || type.getElementType() != accumulator)
      return emitOpError("[C4] expected a strip of rank 1 of ")
             << accumulator << ", got " << type;
  }
  return success();
}

LogicalResult
OnlineAttentionOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &reified) {
  return reifyFromInits(builder, *this, reified);
}
