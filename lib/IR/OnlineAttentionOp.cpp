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

/// C6: the factors of a matrix unit.
static LogicalResult verifyPaired(OnlineAttentionOp op) {
  using Dim = OnlineAttentionOp;
  auto getMap = [&](ArrayRef<unsigned> dimensions) {
    return AffineMap::getMultiDimMapWithTargets(Dim::kNumDimensions, dimensions,
                                                op.getContext());
  };
  if (op.getQueryMap() != getMap({Dim::D, Dim::M}) ||
      op.getKeyMap() != getMap({Dim::N, Dim::D}) ||
      op.getValueMap() != getMap({Dim::N, Dim::E}) ||
      op.getOutputMap() != getMap({Dim::E, Dim::M}))
    return op.emitOpError("[C6] expected maps to (d, m), (n, d), (n, e) and "
                          "(e, m) for factors in pairs");
  auto query = cast<RankedTensorType>(op.getQuery().getType()),
       key = cast<RankedTensorType>(op.getKey().getType()),
       value = cast<RankedTensorType>(op.getValue().getType()),
       out = cast<RankedTensorType>(op.getOutInit().getType());
  if (!out.getElementType().isF32() || !key.getElementType().isInteger(32) ||
      !value.getElementType().isInteger(32))
    return op.emitOpError("[C6] expected factors of i32 and tiles of f32, got ")
           << key << ", " << value << " and " << out;
  int64_t words = query.getRank() == 3 ? query.getDimSize(1) : 0;
  bool isKnown = query.getRank() == 3 && query.hasStaticShape() && words > 0 &&
                 words % 16 == 0 && key.getRank() == 3 &&
                 key.getDimSize(2) == words && value.getRank() == 4 &&
                 out.getRank() == 2 && out.hasStaticShape() &&
                 out.getDimSize(0) % 16 == 0 && out.getDimSize(1) % 16 == 0 &&
                 value.getShape().drop_front(2) ==
                     ArrayRef<int64_t>{out.getDimSize(0), 16} &&
                 out.getDimSize(1) == query.getDimSize(2);
  auto isNumParts = [](int64_t parts) { return parts >= 1 && parts <= 3; };
  if (!isKnown || !isNumParts(query.getDimSize(0)) ||
      !isNumParts(key.getDimSize(1)) || !isNumParts(value.getDimSize(1)))
    return op.emitOpError(
               "[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to "
               "3 parts, for a tile of ExM, got ")
           << query << ", " << key << ", " << value << " and " << out;
  if (!isNumParts(op.getWeightParts()))
    return op.emitOpError("[C6] expected weights of 1 to 3 parts, got ")
           << int64_t(op.getWeightParts());
  int64_t rows = key.getDimSize(0), chunks = value.getDimSize(0);
  if (ShapedType::isDynamic(rows) != ShapedType::isDynamic(chunks) ||
      (ShapedType::isStatic(rows) && rows != 32 * chunks))
    return op.emitOpError(
               "[C6] expected 32 keys for each chunk of values, got ")
           << key << " and " << value;
  if (op.getMaxKeys().value_or(0) % 32 != 0)
    return op.emitOpError("[C6] expected max_keys to be a multiple of 32, got ")
           << *op.getMaxKeys();
  if (op.getScale().convertToDouble() != 1.0)
    return op.emitOpError("[C6] expected a query with the scale in its pairs");
  return success();
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

  if (bool(getNumKeys()) != isPaired())
    return emitOpError(
        "[C6] factors in pairs, of i32, come with their number of "
        "keys, and no others do");
  if (!isPaired() && getWeightParts() != 3)
    return emitOpError("[C6] weights of ")
           << getWeightParts() << " parts come with factors in pairs";
  ArrayRef<MappedOperand> plain = operands;
  if (isPaired()) {
    if (failed(verifyPaired(*this)))
      return failure();
    plain = plain.drop_front(3);
  }
  Type accumulator = getElementTypeOrSelf(getOutInit());
  if (!accumulator.isF32() && !accumulator.isF64())
    return emitOpError("[C2] expected tiles of f32 or f64, got ")
           << accumulator;
  // The factors of the products may be narrower: all alike, or, for one query,
  // some of them.
  Type factor = accumulator;
  bool isRow = cast<RankedTensorType>(getMaxInit().getType()).getShape() ==
               ArrayRef<int64_t>{1};
  auto isNarrow = [&](Type element) {
    return accumulator.isF32() && (element.isF16() || element.isBF16());
  };
  for (Value tensor : {getValue(), getKey(), getQuery()})
    if (Type element = getElementTypeOrSelf(tensor);
        isNarrow(element) && (isRow || tensor == getQuery()))
      factor = element;
  SmallVector<int64_t> sizes(kNumDimensions, ShapedType::kDynamic);
  for (auto [name, tensor, map] : plain) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Type element = type.getElementType();
    bool isFactor = name == "query" || name == "key" || name == "value";
    Type expected = isFactor ? factor : accumulator;
    bool isAddend = name == "bias" || name == "mask";
    bool mayBe = (isAddend && isNarrow(element)) ||
                 (isFactor && isRow && element == accumulator);
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
