//===- DecomposeAttention.cpp - From online attention to linalg -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Level 2 to level 3, one step of the formula per function. Decisions that a
// reader may miss:
// - Scores are [n, m]: keys are only broadcast, and maximum, sum and rescaling
//   need no exchange between lanes.
// - The strip is the initial value of the scores' accumulator: no addition.
// - Sums have two levels: the value product of a tile starts from zero and
//   joins the running one by a fused multiply-add, so that errors do not grow
//   with N.
// - The scores' buffer stands outside of all loops; a tile is a slice of it.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "PanelStep.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Tiling/Passes.h"
#include "relattn/Tiling/Transforms.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_DECOMPOSEATTENTION
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

/// The strip as first accumulators, or zero.
Value PanelStep::createBias(Value scores, TileKind kind) {
  Value strip = op.getStrip(), place = op.getPlace();
  if (!strip)
    return createFill(0.0, scores, kind);
  return createGeneric(kind, {Dim::N, Dim::M}, {}, {},
                       {{scores, getMap({Dim::N, Dim::M})}},
                       [&](OpBuilder &inner, Location bodyLoc, ValueRange) {
                         Value n = linalg::IndexOp::create(inner, bodyLoc, 0);
                         Value m = linalg::IndexOp::create(inner, bodyLoc, 1);
                         Value back = m, forth = n;
                         if (!op.getAscending())
                           std::swap(back, forth);
                         Value at =
                             arith::SubIOp::create(inner, bodyLoc, place, back);
                         at = arith::AddIOp::create(inner, bodyLoc, at, forth);
                         return SmallVector<Value>{tensor::ExtractOp::create(
                             inner, bodyLoc, strip, at)};
                       })
      .getResult(0);
}

/// sum_d key * query, from the strip or from zero.
Value PanelStep::createScores() {
  Value scratch = createBuffer({getMaxKeys(), numLanes},
                               {getNumKeys(), b.getIndexAttr(numLanes)});
  AffineMap map = getMap({Dim::N, Dim::M});
  Value init = createBias(scratch, TileKind::Bias);
  return createGeneric(
             TileKind::Scores, {Dim::N, Dim::M, Dim::D}, {Dim::D},
             {{op.getKey(), op.getKeyMap()}, {op.getQuery(), op.getQueryMap()}},
             {{init, map}}, accumulateProduct)
      .getResult(0);
}

/// The scores of the queries and keys that the mask has, with it.
Value PanelStep::addMask(Value scores, Value mask, AffineMap map) {
  if (getElementTypeOrSelf(mask).isInteger(1))
    mask = widenMask(mask, map);
  OpFoldResult lanes = b.getIndexAttr(numLanes);
  if (auto position = map.getResultPosition(b.getAffineDimExpr(Dim::M)))
    lanes = tensor::getMixedSize(b, loc, mask, *position);
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
      extents = {tensor::getMixedSize(b, loc, scores, 0), lanes};
  Value part = createSlice(b, loc, scores, offsets, extents);
  Value masked =
      createGeneric(TileKind::Mask, {Dim::N, Dim::M}, {}, {{mask, map}},
                    {{part, getMap({Dim::N, Dim::M})}}, accumulate)
          .getResult(0);
  return insertSlice(b, loc, masked, scores, offsets, extents);
}

Value PanelStep::createRow(ArrayRef<Value> ins, Value out, GenericBody body) {
  AffineMap rows = getMap({Dim::M});
  SmallVector<MappedValue> mapped;
  for (Value value : ins)
    mapped.push_back({value, rows});
  return createGeneric(TileKind::Row, {Dim::M}, {}, mapped, {{out, rows}}, body)
      .getResult(0);
}

SmallVector<Value> PanelStep::multiplyAdd(OpBuilder &builder, Location loc,
                                          ValueRange args) {
  return {createMultiplyAdd(builder, loc, args[2], args[0], args[1])};
}

SmallVector<Value> PanelStep::lower() {
  AffineMap rows = getMap({Dim::M}), tile = getMap({Dim::N, Dim::M});
  Value scores = createScores();
  if (op.getBias())
    scores = addMask(scores, op.getBias(), *op.getBiasMap());
  if (op.getMask())
    scores = addMask(scores, op.getMask(), *op.getMaskMap());
  scores = completeScores(scores);

  Value maximum =
      createGeneric(TileKind::Maximum, {Dim::N, Dim::M}, {Dim::N},
                    {{scores, tile}}, {{op.getMaxInit(), rows}}, takeMaximum)
          .getResult(0);
  Value empty =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{numLanes}, type);
  Value shift = createRow(
      {maximum}, empty,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        return SmallVector<Value>{createShift(inner, bodyLoc, args[0])};
      });
  Value scale = createRow(
      {op.getMaxInit(), shift}, empty,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value below = arith::SubFOp::create(inner, bodyLoc, args[0], args[1]);
        return SmallVector<Value>{createBoundedExp(inner, bodyLoc, below)};
      });
  Weights weights = createWeights(scores, shift);
  Value sum = createRow({scale, weights.sum}, op.getSumInit(), multiplyAdd);
  return {createOutput(weights.factors, scale), maximum, sum};
}

PanelStep::Weights PanelStep::createWeights(Value scores, Value shift) {
  AffineMap rows = getMap({Dim::M}), tile = getMap({Dim::N, Dim::M});
  Value empty =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{numLanes}, type);
  auto exponentials = createGeneric(
      TileKind::Exp, {Dim::N, Dim::M}, {Dim::N}, {{shift, rows}},
      {{scores, tile}, {createFill(0.0, empty, TileKind::Row), rows}},
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value below = arith::SubFOp::create(inner, bodyLoc, args[1], args[0]);
        Value weight = createBoundedExp(inner, bodyLoc, below);
        Value sum = arith::AddFOp::create(inner, bodyLoc, args[2], weight);
        return SmallVector<Value>{weight, sum};
      });
  return {{exponentials.getResult(0)}, exponentials.getResult(1)};
}

Value PanelStep::createOutput(ArrayRef<Value> weights, Value scale) {
  auto outType = cast<RankedTensorType>(op.getOut().getType());
  Value outEmpty = tensor::EmptyOp::create(b, loc, outType.getShape(), type);
  Value zeroOut = createFill(0.0, outEmpty, TileKind::Zero);
  Value product =
      createGeneric(TileKind::Values, {Dim::E, Dim::M, Dim::N}, {Dim::N},
                    {{op.getValue(), op.getValueMap()},
                     {weights[0], getMap({Dim::N, Dim::M})}},
                    {{zeroOut, op.getOutputMap()}}, accumulateProduct)
          .getResult(0);
  return createGeneric(
             TileKind::Rescale, {Dim::E, Dim::M}, {},
             {{scale, getMap({Dim::M})}, {product, op.getOutputMap()}},
             {{op.getOutInit(), op.getOutputMap()}}, multiplyAdd)
      .getResult(0);
}

/// One query whose scores have a buffer of static size, and to whom all else is
/// contiguous.
static bool isRow(OnlineAttentionOp op) {
  AffineExpr n = getAffineDimExpr(OnlineAttentionOp::N, op.getContext());
  bool isContiguous = op.getKeyMap().getResult(0) == n &&
                      op.getValueMap().getResult(0) == n &&
                      (!op.getStrip() || op.getAscending());
  int64_t numKeys = cast<RankedTensorType>(op.getKey().getType()).getDimSize(0);
  auto max = cast<RankedTensorType>(op.getMax().getType());
  return isContiguous && max.getDimSize(0) == 1 &&
         (op.getMaxKeys() || ShapedType::isStatic(numKeys));
}

/// The query tile times the scale, which is 1 then.
static void scaleQuery(OnlineAttentionOp op, OpBuilder &b) {
  double scale = op.getScale().convertToDouble();
  if (scale == 1.0)
    return;
  Location loc = op.getLoc();
  Value query = op.getQuery();
  FloatType type = op.getAccumulatorType();
  Value empty = tensor::EmptyOp::create(
      b, loc, cast<RankedTensorType>(query.getType()).getShape(), type);
  AffineMap identity = b.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto scaled = linalg::GenericOp::create(
      b, loc, empty.getType(), query, empty, ArrayRef{identity, identity},
      iterators, [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value factor = createFloatConstant(inner, bodyLoc, type, scale);
        Value value = convertFloat(inner, bodyLoc, args[0], type);
        linalg::YieldOp::create(
            inner, bodyLoc,
            Value(arith::MulFOp::create(inner, bodyLoc, value, factor)));
      });
  op.getQueryMutable().assign(scaled.getResult(0));
  op.setScaleAttr(b.getF64FloatAttr(1.0));
}

void relattn::decomposeAttention(RewriterBase &rewriter, OnlineAttentionOp op,
                                 bool forWorkgroup) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  if (!forWorkgroup)
    scaleQuery(op, rewriter);
  if (op.isPaired())
    rewriter.replaceOp(op, lowerPairStep(op, rewriter));
  else if (forWorkgroup)
    rewriter.replaceOp(op, lowerBlockStep(op, rewriter));
  else if (isRow(op))
    rewriter.replaceOp(op, lowerRowStep(op, rewriter));
  else
    rewriter.replaceOp(op, PanelStep(op, rewriter).lower());
}

void relattn::decomposeMerge(RewriterBase &rewriter, MergeOp op) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  rewriter.replaceOp(op, lowerMerge(op, rewriter));
}

namespace {
struct DecomposeAttention
    : public relattn::impl::DecomposeAttentionBase<DecomposeAttention> {
  using DecomposeAttentionBase::DecomposeAttentionBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<OnlineAttentionOp, MergeOp>(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      if (auto merge = dyn_cast<MergeOp>(op))
        decomposeMerge(rewriter, merge);
      else
        decomposeAttention(rewriter, cast<OnlineAttentionOp>(op), workgroups);
    }
  }
};
} // namespace
