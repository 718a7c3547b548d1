//===- DecomposeBlock.cpp - A block of queries meets a tile of keys -------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The step of a workgroup, whose products are those of a matrix unit. It
// differs from a panel's (DecomposeAttention.cpp) in what is dear there:
// - Scores are [m, n], the layout in which they leave one product and enter the
//   next.
// - Sums have one level: products join the running output in the accumulators
//   of the matrix unit, which a second set of registers would halve.
// - The exponential is of base 2 (f32), and where no number but the strip's
//   joins the products, log2(e) and the maximum are one multiply-add: scores
//   are bounded then (-inf, NaN, or a sum of products and a number of the
//   strip, of at most 2^20: AttentionWorkgroups.cpp), and a maximum that is
//   -inf counts as 0, so that inf - inf does not occur.
// - The maximum that weights are relative to stays as it is while it is at most
//   kSlack too low (as FlashAttention-4 has it): weights are at most e^kSlack
//   then instead of 1, and most tiles of a long sequence leave the running
//   output as it is, whose factor is exactly 1.
// - Factors are too narrow to hold the scale: query * scale would round. The
//   multiply-add of the exponential has it instead, and what the products start
//   from and are added to is divided by it. A scale that does not allow that
//   (negative, 0, extreme) is multiplied into the scores.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "StepBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {

class BlockStep : StepBuilder {
public:
  BlockStep(OnlineAttentionOp op, OpBuilder &builder)
      : StepBuilder(op, builder),
        numQueries(cast<RankedTensorType>(op.getMax().getType()).getDimSize(0)),
        rows(getMap({Dim::M})), tile(getMap({Dim::M, Dim::N})) {
    auto isNumbers = [](Value tensor) {
      return tensor && cast<RankedTensorType>(tensor.getType()).getRank() > 0 &&
             !getElementTypeOrSelf(tensor).isInteger(1);
    };
    isBounded = !isNumbers(op.getBias()) && !isNumbers(op.getMask());
    double given = op.getScale().convertToDouble();
    scalesScores = !(given >= 0x1p-20 && given <= 0x1p20);
    scale = scalesScores ? 1.0 : given;
    keepsMaximum =
        getElementTypeOrSelf(op.getQuery()).getIntOrFloatBitWidth() == 16;
  }

  SmallVector<Value> lower();

private:
  AffineMap getMap(ArrayRef<unsigned> dimensions) {
    return AffineMap::getMultiDimMapWithTargets(Dim::kNumDimensions, dimensions,
                                                b.getContext());
  }
  Value createRow(ArrayRef<Value> ins, Value out, GenericBody body);
  Value createOffsetBias(Value scores, bool isAdded);
  Value createScores();
  Value scaleScores(Value scores);
  Value divideByScale(OpBuilder &builder, Location bodyLoc, Value value);
  Value addMask(Value scores, Value mask, AffineMap map);
  Value createExp(OpBuilder &builder, Location bodyLoc, Value score,
                  Value shift, double scale);
  Value createExpOfDifference(OpBuilder &builder, Location bodyLoc,
                              Value below);
  /// Whether weights are 2^(score * log2(e) - shift).
  bool hasBinaryShift() const { return isBounded && type.isF32(); }
  Value multiplyByLog2E(OpBuilder &builder, Location bodyLoc, Value x) {
    return arith::MulFOp::create(
        builder, bodyLoc, x,
        createFloatConstant(builder, bodyLoc, type, llvm::numbers::log2e));
  }
  Value createNextMaximum(OpBuilder &builder, Location bodyLoc, Value before,
                          Value ofTile);

  static constexpr double kSlack = 5.5;

  int64_t numQueries;
  AffineMap rows, tile;
  /// No float mask or dense bias: see above.
  bool isBounded;
  /// Scores are the sums' scale-th part; or the scale is multiplied into them.
  double scale;
  bool scalesScores;
  /// A maximum that is a little too low is kept.
  bool keepsMaximum;
};

} // namespace

Value BlockStep::createRow(ArrayRef<Value> ins, Value out, GenericBody body) {
  SmallVector<MappedValue> mapped;
  for (Value value : ins)
    mapped.push_back({value, rows});
  return createGeneric(TileKind::Row, {Dim::M}, {}, mapped, {{out, rows}}, body)
      .getResult(0);
}

Value BlockStep::divideByScale(OpBuilder &builder, Location bodyLoc,
                               Value value) {
  value = convertFloat(builder, bodyLoc, value, type);
  if (scale == 1.0)
    return value;
  Value factor = createFloatConstant(builder, bodyLoc, type, 1.0 / scale);
  return arith::MulFOp::create(builder, bodyLoc, value, factor);
}

/// `scores` set to the bias that is a function of the offset (a strip, or one
/// number for all), or with it added.
Value BlockStep::createOffsetBias(Value scores, bool isAdded) {
  Value strip = op.getStrip(), bias = op.getBias();
  bool isNumber = bias && cast<RankedTensorType>(bias.getType()).getRank() == 0;
  if (!strip && !isNumber)
    return isAdded ? scores : createFill(0.0, scores, TileKind::Bias);
  SmallVector<MappedValue> ins;
  if (isNumber)
    ins.push_back({bias, getMap({})});
  auto body = [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
    Value value;
    if (isNumber)
      value = convertFloat(inner, bodyLoc, args[0], type);
    if (strip) {
      Value back = linalg::IndexOp::create(inner, bodyLoc, 1);
      Value forth = linalg::IndexOp::create(inner, bodyLoc, 0);
      if (op.getAscending())
        std::swap(back, forth);
      Value at = arith::SubIOp::create(inner, bodyLoc, op.getPlace(), back);
      at = arith::AddIOp::create(inner, bodyLoc, at, forth);
      Value ofOffset = tensor::ExtractOp::create(inner, bodyLoc, strip, at);
      value =
          value ? Value(arith::AddFOp::create(inner, bodyLoc, value, ofOffset))
                : ofOffset;
    }
    value = divideByScale(inner, bodyLoc, value);
    if (isAdded)
      value = arith::AddFOp::create(inner, bodyLoc, args.back(), value);
    return SmallVector<Value>{value};
  };
  return createGeneric(isAdded ? TileKind::Mask : TileKind::Bias,
                       {Dim::M, Dim::N}, {}, ins, {{scores, tile}}, body)
      .getResult(0);
}

/// scale * query * key + bias of the offset, or the scale-th part of it.
Value BlockStep::createScores() {
  Value scores = createBuffer({numQueries, getMaxKeys()},
                              {b.getIndexAttr(numQueries), getNumKeys()});
  scores = scalesScores ? createFill(0.0, scores, TileKind::Bias)
                        : createOffsetBias(scores, /*isAdded=*/false);
  scores = createGeneric(TileKind::Scores, {Dim::M, Dim::N, Dim::D}, {Dim::D},
                         {{op.getQuery(), op.getQueryMap()},
                          {op.getKey(), op.getKeyMap()}},
                         {{scores, tile}}, accumulateProduct)
               .getResult(0);
  if (!scalesScores)
    return scores;
  return createOffsetBias(scaleScores(scores), /*isAdded=*/true);
}

/// scores * scale.
Value BlockStep::scaleScores(Value scores) {
  double given = op.getScale().convertToDouble();
  return createGeneric(
             TileKind::Mask, {Dim::M, Dim::N}, {}, {}, {{scores, tile}},
             [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
               Value factor = createFloatConstant(inner, bodyLoc, type, given);
               return SmallVector<Value>{
                   arith::MulFOp::create(inner, bodyLoc, args[0], factor)};
             })
      .getResult(0);
}

/// The scores of the queries that the mask has, with it; a mask of i1 hides
/// where it is false.
Value BlockStep::addMask(Value scores, Value mask, AffineMap map) {
  OpFoldResult queries = b.getIndexAttr(numQueries);
  if (auto position = map.getResultPosition(b.getAffineDimExpr(Dim::M)))
    queries = tensor::getMixedSize(b, loc, mask, *position);
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
      extents = {queries, tensor::getMixedSize(b, loc, scores, 1)};
  Value part = createSlice(b, loc, scores, offsets, extents);
  bool hides = getElementTypeOrSelf(mask).isInteger(1);
  Value masked =
      createGeneric(
          TileKind::Mask, {Dim::M, Dim::N}, {}, {{mask, map}}, {{part, tile}},
          [&](OpBuilder &inner, Location bodyLoc,
              ValueRange args) -> SmallVector<Value> {
            if (!hides) {
              Value addend = divideByScale(inner, bodyLoc, args[0]);
              return {arith::AddFOp::create(inner, bodyLoc, args[1], addend)};
            }
            Value hidden = createFloatConstant(
                inner, bodyLoc, type, -std::numeric_limits<double>::infinity());
            return {arith::SelectOp::create(inner, bodyLoc, args[0], args[1],
                                            hidden)};
          })
          .getResult(0);
  return insertSlice(b, loc, masked, scores, offsets, extents);
}

/// exp(scale * score - shift): on f32 2^(scale * score * log2(e) - shift), if
/// scores are bounded; else of the difference.
Value BlockStep::createExp(OpBuilder &builder, Location bodyLoc, Value score,
                           Value shift, double scale) {
  auto number = [&](double value) {
    return createFloatConstant(builder, bodyLoc, type, value);
  };
  Value back = arith::NegFOp::create(builder, bodyLoc, shift);
  if (hasBinaryShift()) {
    Value exponent = createMultiplyAdd(
        builder, bodyLoc, score, number(scale * llvm::numbers::log2e), back);
    return math::Exp2Op::create(builder, bodyLoc, exponent);
  }
  Value below =
      scale == 1.0
          ? Value(arith::SubFOp::create(builder, bodyLoc, score, shift))
          : createMultiplyAdd(builder, bodyLoc, score, number(scale), back);
  return createExpOfDifference(builder, bodyLoc, below);
}

Value BlockStep::createExpOfDifference(OpBuilder &builder, Location bodyLoc,
                                       Value below) {
  if (!type.isF32())
    return createBoundedExp(builder, bodyLoc, below);
  return math::Exp2Op::create(builder, bodyLoc,
                              multiplyByLog2E(builder, bodyLoc, below));
}

/// The maximum of the keys so far, or what is at most kSlack below it.
Value BlockStep::createNextMaximum(OpBuilder &builder, Location bodyLoc,
                                   Value before, Value ofTile) {
  auto number = [&](double value) {
    return createFloatConstant(builder, bodyLoc, type, value);
  };
  if (scale != 1.0)
    ofTile = arith::MulFOp::create(builder, bodyLoc, ofTile, number(scale));
  if (!keepsMaximum)
    return arith::MaximumFOp::create(builder, bodyLoc, ofTile, before);
  // NaN is in the weights anyway.
  Value limit = arith::AddFOp::create(builder, bodyLoc, before, number(kSlack));
  Value isAbove = arith::CmpFOp::create(
      builder, bodyLoc, arith::CmpFPredicate::OGT, ofTile, limit);
  return arith::SelectOp::create(builder, bodyLoc, isAbove, ofTile, before);
}

SmallVector<Value> BlockStep::lower() {
  Value scores = createScores();
  if (op.getBias() && op.getBiasMap()->getNumResults() > 0)
    scores = addMask(scores, op.getBias(), *op.getBiasMap());
  if (op.getMask())
    scores = addMask(scores, op.getMask(), *op.getMaskMap());

  Value before = op.getMaxInit();
  Value empty =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{numQueries}, type);
  Value tileMaximum =
      createGeneric(TileKind::Maximum, {Dim::M, Dim::N}, {Dim::N},
                    {{scores, tile}},
                    {{createFill(-std::numeric_limits<double>::infinity(),
                                 empty, TileKind::Row),
                      rows}},
                    takeMaximum)
          .getResult(0);
  // Read before the new maximum takes its place. From a difference, of what
  // weights are relative to: exactly 1 where the maximum stays, for as many
  // tiles as it does.
  Value factor = createRow(
      {before, tileMaximum}, empty,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value next = createNextMaximum(inner, bodyLoc, args[0], args[1]);
        Value shift = createShift(inner, bodyLoc, next);
        if (!hasBinaryShift())
          return SmallVector<Value>{createExpOfDifference(
              inner, bodyLoc,
              arith::SubFOp::create(inner, bodyLoc, args[0], shift))};
        Value below = arith::SubFOp::create(
            inner, bodyLoc, multiplyByLog2E(inner, bodyLoc, args[0]),
            multiplyByLog2E(inner, bodyLoc, shift));
        return SmallVector<Value>{math::Exp2Op::create(inner, bodyLoc, below)};
      });
  Value maximum =
      createRow({tileMaximum}, before,
                [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                  return SmallVector<Value>{
                      createNextMaximum(inner, bodyLoc, args[1], args[0])};
                });
  Value shift =
      createRow({maximum}, empty,
                [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                  Value number = createShift(inner, bodyLoc, args[0]);
                  if (hasBinaryShift())
                    number = multiplyByLog2E(inner, bodyLoc, number);
                  return SmallVector<Value>{number};
                });
  auto rescale = [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
    return SmallVector<Value>{
        arith::MulFOp::create(inner, bodyLoc, args[1], args[0])};
  };
  Value sum = createRow({factor}, op.getSumInit(), rescale);
  Value out =
      createGeneric(keepsMaximum ? TileKind::RareRescale : TileKind::Rescale,
                    {Dim::M, Dim::E}, {}, {{factor, rows}},
                    {{op.getOutInit(), op.getOutputMap()}}, rescale)
          .getResult(0);
  auto exponentials = createGeneric(
      TileKind::Exp, {Dim::M, Dim::N}, {Dim::N}, {{shift, rows}},
      {{scores, tile}, {sum, rows}},
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value weight = createExp(inner, bodyLoc, args[1], args[0], scale);
        Value next = arith::AddFOp::create(inner, bodyLoc, args[2], weight);
        return SmallVector<Value>{weight, next};
      });
  out = createGeneric(TileKind::Values, {Dim::M, Dim::E, Dim::N}, {Dim::N},
                      {{exponentials.getResult(0), tile},
                       {op.getValue(), op.getValueMap()}},
                      {{out, op.getOutputMap()}}, accumulateProduct)
            .getResult(0);
  return {out, maximum, exponentials.getResult(1)};
}

SmallVector<Value> relattn::lowerBlockStep(OnlineAttentionOp op,
                                           OpBuilder &builder) {
  return BlockStep(op, builder).lower();
}
