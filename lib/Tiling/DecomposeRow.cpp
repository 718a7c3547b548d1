//===- DecomposeRow.cpp - One query meets a tile of keys ------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A panel of one query would use one lane of each vector. Here the lanes are
// what is contiguous: d in the products with keys, n in the softmax, e in the
// product with values. Every key and value is read once, which is what decides
// the time of a decode step. What a reader may miss:
// - A score is summed in kLanes partial sums and then across them: in linalg
//   two ops, of which the first is fused into the second.
// - The scores are padded by -inf to whole vectors; so maximum, exponential and
//   sum have no tail. They are those of a panel with kLanes queries, each of
//   which has every kLanes-th key, until maximum and sum join the lanes.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "StepBuilder.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace mlir::relattn;

namespace {

class RowStep : StepBuilder {
public:
  RowStep(OnlineAttentionOp op, OpBuilder &builder)
      : StepBuilder(op, builder), lanes(type.isF64() ? 8 : 16),
        numKeys(getNumKeys()), capacity(llvm::alignTo(getMaxKeys(), lanes)) {}

  SmallVector<Value> lower();

private:
  /// Loops: keys; parts of d; lanes of a part; parts of n; lanes of it; e.
  enum Loop : unsigned { Key, Part, PartLane, Row, RowLane, Column, kNumLoops };

  AffineMap getMap(ArrayRef<unsigned> loops) {
    return AffineMap::getMultiDimMapWithTargets(kNumLoops, loops,
                                                b.getContext());
  }
  RankedTensorType getType(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, type);
  }
  /// Of the elements of `tensor`.
  RankedTensorType getType(ArrayRef<int64_t> shape, Value tensor) {
    return RankedTensorType::get(shape, getElementTypeOrSelf(tensor));
  }
  Value asRow(Value tensor, AffineMap map);
  Value createBias(Value scores);
  Value createDots(Value init);
  Value addMask(Value scores, Value mask, AffineMap map);
  Value joinLanes(Value perLane, Value init, GenericBody body);

  /// Of a vector of scores.
  int64_t lanes;
  OpFoldResult numKeys;
  int64_t capacity;
};

} // namespace

/// The tensor without its dimension of one query.
Value RowStep::asRow(Value tensor, AffineMap map) {
  auto position = map.getResultPosition(b.getAffineDimExpr(Dim::M));
  if (!position)
    return tensor;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor),
                            offsets(sizes.size(), b.getIndexAttr(0));
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(tensor.getType()).getShape());
  // A mask may not say that it has one query.
  sizes[*position] = b.getIndexAttr(1);
  shape.erase(shape.begin() + *position);
  return createSlice(b, loc, tensor, offsets, sizes, getType(shape, tensor));
}

/// Where the products start: the strip of these keys, or zero.
Value RowStep::createBias(Value scores) {
  Value strip = op.getStrip();
  if (!strip)
    return createFill(0.0, scores, std::nullopt);
  SmallVector<OpFoldResult> place = {getAsOpFoldResult(op.getPlace())};
  Value part = createSlice(b, loc, strip, place, {numKeys});
  return linalg::CopyOp::create(b, loc, part, scores).getResult(0);
}

/// init[n] + sum_d key[n, d] * query[d]
Value RowStep::createDots(Value init) {
  Value query = asRow(op.getQuery(), op.getQueryMap());
  int64_t depth = cast<RankedTensorType>(query.getType()).getDimSize(0);
  // Whole vectors of what divides d.
  int64_t width = std::gcd(depth, lanes);
  SmallVector<ReassociationIndices> keyGroups = {{0}, {1, 2}};
  SmallVector<OpFoldResult> keySizes = {numKeys, b.getIndexAttr(depth / width),
                                        b.getIndexAttr(width)};
  SmallVector<int64_t> keyShape = {
      getConstantIntValue(numKeys).value_or(ShapedType::kDynamic),
      depth / width, width};
  Value keys = tensor::ExpandShapeOp::create(
      b, loc, getType(keyShape, op.getKey()), op.getKey(), keyGroups, keySizes);
  SmallVector<ReassociationIndices> queryGroups = {{0, 1}};
  Value queries = tensor::ExpandShapeOp::create(
      b, loc, getType({depth / width, width}, query), query, queryGroups);
  SmallVector<OpFoldResult> partialSizes = {numKeys, b.getIndexAttr(width)};
  Value partial =
      createFill(0.0, tensor::EmptyOp::create(b, loc, partialSizes, type),
                 TileKind::DotsZero);
  partial =
      createGeneric(TileKind::Dots, {Key, Part, PartLane}, {Part},
                    {{keys, getMap({Key, Part, PartLane})},
                     {queries, getMap({Part, PartLane})}},
                    {{partial, getMap({Key, PartLane})}}, accumulateProduct)
          .getResult(0);
  return createGeneric(TileKind::DotsSum, {Key, PartLane}, {PartLane},
                       {{partial, getMap({Key, PartLane})}},
                       {{init, getMap({Key})}}, accumulate)
      .getResult(0);
}

/// The scores with a mask or dense bias; these are loops, which LLVM
/// vectorises.
Value RowStep::addMask(Value scores, Value mask, AffineMap map) {
  if (getElementTypeOrSelf(mask).isInteger(1))
    mask = widenMask(mask, map);
  bool hasKeys = map.getResultPosition(b.getAffineDimExpr(Dim::N)).has_value();
  AffineMap rowMap = hasKeys ? getMap({Key}) : getMap({});
  return createGeneric(std::nullopt, {Key}, {}, {{asRow(mask, map), rowMap}},
                       {{scores, getMap({Key})}}, accumulate)
      .getResult(0);
}

/// Maximum or sum of `init`, a tensor of one number, and all lanes. A dozen
/// scalar instructions for a tile of keys: a loop.
Value RowStep::joinLanes(Value perLane, Value init, GenericBody body) {
  return createGeneric(std::nullopt, {Row, RowLane}, {RowLane},
                       {{perLane, getMap({RowLane})}}, {{init, getMap({Row})}},
                       body)
      .getResult(0);
}

SmallVector<Value> RowStep::lower() {
  constexpr double kLowest = -std::numeric_limits<double>::infinity();
  // [capacity / lanes, lanes] in memory, of which the scores are the first
  // ones.
  SmallVector<OpFoldResult> whole = {b.getIndexAttr(capacity / lanes),
                                     b.getIndexAttr(lanes)};
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  Value buffer = createBuffer({capacity / lanes, lanes}, whole);
  Value flat = tensor::CollapseShapeOp::create(b, loc, getType({capacity}),
                                               buffer, groups);
  SmallVector<OpFoldResult> first = {b.getIndexAttr(0)};
  Value scores =
      createDots(createBias(createSlice(b, loc, flat, first, {numKeys})));
  if (op.getBias())
    scores = addMask(scores, op.getBias(), *op.getBiasMap());
  if (op.getMask())
    scores = addMask(scores, op.getMask(), *op.getMaskMap());
  flat = insertSlice(b, loc, scores, flat, first, {numKeys});

  // Whole vectors.
  AffineExpr n = b.getAffineSymbolExpr(0);
  auto compute = [&](AffineExpr expr) {
    return affine::makeComposedFoldedAffineApply(b, loc, expr, {numKeys});
  };
  OpFoldResult numRows = compute(n.ceilDiv(lanes));
  OpFoldResult rest = compute(n.ceilDiv(lanes) * lanes - n);
  if (getConstantIntValue(rest) != 0) {
    Value tail = createFill(
        kLowest, createSlice(b, loc, flat, {numKeys}, {rest}), std::nullopt);
    flat = insertSlice(b, loc, tail, flat, {numKeys}, {rest});
  }
  Value matrix = tensor::ExpandShapeOp::create(
      b, loc, getType({capacity / lanes, lanes}), flat, groups);
  SmallVector<OpFoldResult> origin(2, b.getIndexAttr(0)),
      extent = {numRows, b.getIndexAttr(lanes)};
  Value vectors = createSlice(b, loc, matrix, origin, extent);

  AffineMap tile = getMap({Row, RowLane}), perLane = getMap({RowLane});
  SmallVector<int64_t> laneShape = {lanes};
  auto createLanes = [&](double value) {
    return createFill(value, tensor::EmptyOp::create(b, loc, laneShape, type),
                      TileKind::Row);
  };
  Value maximum =
      createGeneric(TileKind::Maximum, {Row, RowLane}, {Row}, {{vectors, tile}},
                    {{createLanes(kLowest), perLane}}, takeMaximum)
          .getResult(0);
  maximum = joinLanes(maximum, op.getMaxInit(), takeMaximum);

  // Scalars, and vectors of equal ones.
  SmallVector<Value> zero = {arith::ConstantIndexOp::create(b, loc, 0)};
  Value shift =
      createShift(b, loc, tensor::ExtractOp::create(b, loc, maximum, zero));
  Value below = arith::SubFOp::create(
      b, loc, tensor::ExtractOp::create(b, loc, op.getMaxInit(), zero), shift);
  Value scale = createBoundedExp(b, loc, below);
  auto exponentials = createGeneric(
      TileKind::Exp, {Row, RowLane}, {Row}, {},
      {{vectors, tile}, {createLanes(0.0), perLane}},
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value below = arith::SubFOp::create(inner, bodyLoc, args[0], shift);
        Value weight = createBoundedExp(inner, bodyLoc, below);
        Value sum = arith::AddFOp::create(inner, bodyLoc, args[1], weight);
        return SmallVector<Value>{weight, sum};
      });
  Value partSum = joinLanes(
      exponentials.getResult(1),
      createFill(0.0, tensor::EmptyOp::create(b, loc, {1}, type), std::nullopt),
      accumulate);
  Value oldSum = tensor::ExtractOp::create(b, loc, op.getSumInit(), zero);
  Value newSum = createMultiplyAdd(
      b, loc, oldSum, scale, tensor::ExtractOp::create(b, loc, partSum, zero));
  Value sum = tensor::InsertOp::create(b, loc, newSum, op.getSumInit(), zero);

  // out[e] * scale + sum_n weight[n] * value[n, e]
  matrix =
      insertSlice(b, loc, exponentials.getResult(0), matrix, origin, extent);
  flat = tensor::CollapseShapeOp::create(b, loc, getType({capacity}), matrix,
                                         groups);
  Value weights = createSlice(b, loc, flat, first, {numKeys});
  Value outInit = op.getOutInit();
  int64_t width = cast<RankedTensorType>(outInit.getType()).getNumElements();
  Value row = tensor::CollapseShapeOp::create(b, loc, getType({width}), outInit,
                                              groups);
  AffineMap column = getMap({Column});
  SmallVector<int64_t> columns = {width};
  Value product = createFill(
      0.0, tensor::EmptyOp::create(b, loc, columns, type), TileKind::Zero);
  product = createGeneric(TileKind::RowValues, {Column, Key}, {Key},
                          {{weights, getMap({Key})},
                           {op.getValue(), getMap({Key, Column})}},
                          {{product, column}}, accumulateProduct)
                .getResult(0);
  row = createGeneric(TileKind::Rescale, {Column}, {}, {{product, column}},
                      {{row, column}},
                      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                        return SmallVector<Value>{createMultiplyAdd(
                            inner, bodyLoc, args[1], scale, args[0])};
                      })
            .getResult(0);
  Value out = tensor::ExpandShapeOp::create(
      b, loc, cast<RankedTensorType>(outInit.getType()), row, groups);
  return {out, maximum, sum};
}

SmallVector<Value> relattn::lowerRowStep(OnlineAttentionOp op,
                                         OpBuilder &builder) {
  return RowStep(op, builder).lower();
}
