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

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "ExpandExp.h"
#include "TileKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_DECOMPOSEATTENTION
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {

class StepLowering {
public:
  StepLowering(OnlineAttentionOp op, OpBuilder &builder)
      : op(op), b(builder), loc(op.getLoc()), type(op.getAccumulatorType()),
        numLanes(cast<RankedTensorType>(op.getMax().getType()).getDimSize(0)) {}

  SmallVector<Value> lower();

private:
  using Dim = OnlineAttentionOp;

  Value createFloat(double value) {
    return createFloatConstant(b, loc, type, value);
  }
  AffineMap getMap(ArrayRef<unsigned> dimensions);
  linalg::GenericOp createGeneric(TileKind kind, ArrayRef<unsigned> loops,
                                  ArrayRef<unsigned> reduced,
                                  ArrayRef<MappedValue> ins,
                                  ArrayRef<MappedValue> outs, GenericBody body);
  Value createScratch();
  Value createBuffer(ArrayRef<int64_t> shape, ArrayRef<OpFoldResult> sizes);
  Value widenMask(Value mask, AffineMap map);
  Value createScores();
  Value addMask(Value scores, Value mask, AffineMap map);

  OnlineAttentionOp op;
  OpBuilder &b;
  Location loc;
  FloatType type;
  int64_t numLanes;
};

} // namespace

AffineMap StepLowering::getMap(ArrayRef<unsigned> dimensions) {
  SmallVector<AffineExpr> exprs;
  for (unsigned dimension : dimensions)
    exprs.push_back(b.getAffineDimExpr(dimension));
  return AffineMap::get(Dim::kNumDimensions, 0, exprs, b.getContext());
}

linalg::GenericOp StepLowering::createGeneric(
    TileKind kind, ArrayRef<unsigned> loops, ArrayRef<unsigned> reduced,
    ArrayRef<MappedValue> ins, ArrayRef<MappedValue> outs, GenericBody body) {
  auto generic = createGenericOver(b, loc, loops, reduced, ins, outs, body);
  setTileKind(generic, kind);
  return generic;
}

/// `sizes` of a buffer of the worker's own, of `shape`, outside of all loops.
/// Without a static shape it is an allocation for each step.
Value StepLowering::createBuffer(ArrayRef<int64_t> shape,
                                 ArrayRef<OpFoldResult> sizes) {
  if (ShapedType::isDynamicShape(shape))
    return tensor::EmptyOp::create(b, loc, sizes, type);
  Operation *worker = op;
  while (!isa<scf::ForallOp, FunctionOpInterface>(worker->getParentOp()))
    worker = worker->getParentOp();
  Value buffer;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(worker->getBlock());
    buffer = bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(shape, type), ValueRange());
  }
  return createSlice(b, loc, buffer, sizes);
}

/// [n, lanes] for the scores.
Value StepLowering::createScratch() {
  auto keyType = cast<RankedTensorType>(op.getKey().getType());
  unsigned position =
      *op.getKeyMap().getResultPosition(b.getAffineDimExpr(Dim::N));
  int64_t numKeys = keyType.getDimSize(position);
  if (ShapedType::isDynamic(numKeys))
    numKeys = op.getMaxKeys().value_or(numKeys);
  return createBuffer({numKeys, numLanes},
                      {tensor::getMixedSize(b, loc, op.getKey(), position),
                       b.getIndexAttr(numLanes)});
}

/// sum_d key * query, from the strip or from zero.
Value StepLowering::createScores() {
  Value scratch = createScratch();
  AffineMap map = getMap({Dim::N, Dim::M});
  Value init;
  if (Value strip = op.getStrip()) {
    Value place = op.getPlace();
    init = createGeneric(
               TileKind::Bias, {Dim::N, Dim::M}, {}, {}, {{scratch, map}},
               [&](OpBuilder &inner, Location bodyLoc, ValueRange) {
                 Value n = linalg::IndexOp::create(inner, bodyLoc, 0);
                 Value m = linalg::IndexOp::create(inner, bodyLoc, 1);
                 Value at = arith::SubIOp::create(inner, bodyLoc, place, n);
                 at = arith::AddIOp::create(inner, bodyLoc, at, m);
                 return SmallVector<Value>{
                     tensor::ExtractOp::create(inner, bodyLoc, strip, at)};
               })
               .getResult(0);
  } else {
    auto fill = linalg::FillOp::create(b, loc, createFloat(0.0), scratch);
    setTileKind(fill, TileKind::Bias);
    init = fill.getResult(0);
  }
  return createGeneric(
             TileKind::Scores, {Dim::N, Dim::M, Dim::D}, {Dim::D},
             {{op.getKey(), op.getKeyMap()}, {op.getQuery(), op.getQueryMap()}},
             {{init, map}},
             [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
               Value product =
                   arith::MulFOp::create(inner, bodyLoc, args[0], args[1]);
               return SmallVector<Value>{
                   arith::AddFOp::create(inner, bodyLoc, args[2], product)};
             })
      .getResult(0);
}

/// 0 where a mask of i1 is true, -inf where it is false. Booleans are bytes in
/// memory and bits in a vector: this is left to loops, which LLVM vectorises.
Value StepLowering::widenMask(Value mask, AffineMap map) {
  auto maskType = cast<RankedTensorType>(mask.getType());
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, mask);
  for (auto [size, expr] : llvm::zip(maskType.getShape(), map.getResults())) {
    bool isKeys = cast<AffineDimExpr>(expr).getPosition() == Dim::N;
    shape.push_back(ShapedType::isStatic(size) ? size
                    : isKeys                   ? op.getMaxKeys().value_or(size)
                                               : numLanes);
  }
  Value out = createBuffer(shape, sizes);
  AffineMap identity = b.getMultiDimIdentityMap(shape.size());
  SmallVector<utils::IteratorType> iterators(shape.size(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, out.getType(), mask, out,
             ArrayRef<AffineMap>{identity, identity}, iterators,
             [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
               Value zero = createFloatConstant(inner, bodyLoc, type, 0.0);
               Value hidden = createFloatConstant(
                   inner, bodyLoc, type,
                   -std::numeric_limits<double>::infinity());
               linalg::YieldOp::create(
                   inner, bodyLoc,
                   Value(arith::SelectOp::create(inner, bodyLoc, args[0], zero,
                                                 hidden)));
             })
      .getResult(0);
}

/// The scores of the queries and keys that the mask has, with it.
Value StepLowering::addMask(Value scores, Value mask, AffineMap map) {
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
                    {{part, getMap({Dim::N, Dim::M})}},
                    [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                      return SmallVector<Value>{arith::AddFOp::create(
                          inner, bodyLoc, args[1], args[0])};
                    })
          .getResult(0);
  return insertSlice(b, loc, masked, scores, offsets, extents);
}

SmallVector<Value> StepLowering::lower() {
  AffineMap rows = getMap({Dim::M}), tile = getMap({Dim::N, Dim::M});
  Value scores = createScores();
  if (op.getBias())
    scores = addMask(scores, op.getBias(), *op.getBiasMap());
  if (op.getMask())
    scores = addMask(scores, op.getMask(), *op.getMaskMap());

  Value maximum =
      createGeneric(TileKind::Maximum, {Dim::N, Dim::M}, {Dim::N},
                    {{scores, tile}}, {{op.getMaxInit(), rows}},
                    [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                      return SmallVector<Value>{arith::MaximumFOp::create(
                          inner, bodyLoc, args[0], args[1])};
                    })
          .getResult(0);
  auto createRow = [&](ArrayRef<Value> ins, Value out, GenericBody body) {
    SmallVector<MappedValue> mapped;
    for (Value value : ins)
      mapped.push_back({value, rows});
    return createGeneric(TileKind::Row, {Dim::M}, {}, mapped, {{out, rows}},
                         body)
        .getResult(0);
  };
  Value empty =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{numLanes}, type);
  // A maximum of -inf counts as 0.
  Value shift = createRow(
      {maximum}, empty,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value lowest = createFloatConstant(
            inner, bodyLoc, type, -std::numeric_limits<double>::infinity());
        Value none = arith::CmpFOp::create(
            inner, bodyLoc, arith::CmpFPredicate::OEQ, args[0], lowest);
        Value zero = createFloatConstant(inner, bodyLoc, type, 0.0);
        return SmallVector<Value>{
            arith::SelectOp::create(inner, bodyLoc, none, zero, args[0])};
      });
  Value scale =
      createRow({op.getMaxInit(), shift}, empty,
                [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                  Value below =
                      arith::SubFOp::create(inner, bodyLoc, args[0], args[1]);
                  return SmallVector<Value>{
                      createExpOfNonpositive(inner, bodyLoc, below)};
                });
  auto zeroSum = linalg::FillOp::create(b, loc, createFloat(0.0), empty);
  setTileKind(zeroSum, TileKind::Row);
  auto exponentials = createGeneric(
      TileKind::Exp, {Dim::N, Dim::M}, {Dim::N}, {{shift, rows}},
      {{scores, tile}, {zeroSum.getResult(0), rows}},
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value below = arith::SubFOp::create(inner, bodyLoc, args[1], args[0]);
        Value weight = createExpOfNonpositive(inner, bodyLoc, below);
        Value sum = arith::AddFOp::create(inner, bodyLoc, args[2], weight);
        return SmallVector<Value>{weight, sum};
      });
  auto multiplyAdd = [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
    return SmallVector<Value>{
        math::FmaOp::create(inner, bodyLoc, args[2], args[0], args[1])};
  };
  Value sum = createRow({scale, exponentials.getResult(1)}, op.getSumInit(),
                        multiplyAdd);
  auto outType = cast<RankedTensorType>(op.getOut().getType());
  Value outEmpty = tensor::EmptyOp::create(b, loc, outType.getShape(), type);
  auto zeroOut = linalg::FillOp::create(b, loc, createFloat(0.0), outEmpty);
  setTileKind(zeroOut, TileKind::Zero);
  Value product =
      createGeneric(TileKind::Values, {Dim::E, Dim::M, Dim::N}, {Dim::N},
                    {{op.getValue(), op.getValueMap()},
                     {exponentials.getResult(0), tile}},
                    {{zeroOut.getResult(0), op.getOutputMap()}},
                    [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                      Value term = arith::MulFOp::create(inner, bodyLoc,
                                                         args[0], args[1]);
                      return SmallVector<Value>{
                          arith::AddFOp::create(inner, bodyLoc, args[2], term)};
                    })
          .getResult(0);
  Value out = createGeneric(TileKind::Rescale, {Dim::E, Dim::M}, {},
                            {{scale, rows}, {product, op.getOutputMap()}},
                            {{op.getOutInit(), op.getOutputMap()}}, multiplyAdd)
                  .getResult(0);
  return {out, maximum, sum};
}

namespace {
struct DecomposeAttention
    : public relattn::impl::DecomposeAttentionBase<DecomposeAttention> {
  using DecomposeAttentionBase::DecomposeAttentionBase;

  void runOnOperation() override {
    SmallVector<OnlineAttentionOp> ops;
    getOperation()->walk([&](OnlineAttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (OnlineAttentionOp op : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, StepLowering(op, rewriter).lower());
    }
  }
};
} // namespace
