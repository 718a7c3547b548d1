//===- AttentionToLinalg.cpp - attention to linalg ------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference lowering, one step of the formula per function. Decisions that
// a reader may miss:
// - The scale multiplies the query inside the product's body, so no scaled
//   tensor exists.
// - Bias, mask and band are one pass over the scores, in place. The scores are
//   the only tensor with both M and N.
// - Hidden is -inf, so exp2 gives exactly 0. A row whose maximum is -inf is
//   shifted by 0 instead, and its sum of 0 selects the output 0: no NaN.
// - Row sums are compensated (Kahan 1965), so that their error, and with it
//   that of lse, does not grow with N.
// - Of two accumulators with one shape, one starts at -0.0, the neutral element
//   of addition. Were both filled with 0.0, CSE would make them one value and
//   bufferisation would copy it.
//
//===----------------------------------------------------------------------===//

#include "LoweringUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

using BodyBuilder = function_ref<Value(OpBuilder &, Location, ValueRange)>;

namespace {

/// Builds the linalg of one attention op whose per-batch operands are gone.
class AttentionLowering {
public:
  AttentionLowering(AttentionOp op, OpBuilder &builder)
      : op(op), builder(builder), loc(op.getLoc()),
        accumulator(op.getAccumulatorType()), batch(op.getBatchDimensions()) {}

  SmallVector<Value> lower() {
    Value scores = createScores();
    if (op.getBias() || op.getMask() || op.getBandAttr())
      scores = addBiasAndMask(scores);
    Value maximum = createMaximum(scores);
    Value probabilities = exponentiate(scores, maximum);
    Value sum = createSum(probabilities);
    SmallVector<Value> results{
        normalize(createValueProduct(probabilities), sum)};
    if (op.getLse())
      results.push_back(createLse(maximum, sum));
    return results;
  }

private:
  using Dim = AttentionOp::Dimension;

  SmallVector<unsigned> withBatch(ArrayRef<unsigned> dimensions) {
    SmallVector<unsigned> result(batch);
    llvm::append_range(result, dimensions);
    return result;
  }

  OpFoldResult getSize(unsigned dimension) {
    return op.getMixedSize(builder, dimension);
  }

  SmallVector<OpFoldResult> getSizes(ArrayRef<unsigned> dimensions) {
    return llvm::map_to_vector(dimensions,
                               [&](unsigned d) { return getSize(d); });
  }

  /// A generic over `loops`, dimensions of the attention of which those in
  /// `reduced` are reductions. Maps are over the attention's seven dimensions.
  Value createGeneric(ArrayRef<unsigned> loops, ArrayRef<unsigned> reduced,
                      ArrayRef<MappedValue> ins, Value out, AffineMap outMap,
                      BodyBuilder body) {
    return createGeneric(loops, reduced, ins, ValueRange(out), outMap,
                         [&](OpBuilder &b, Location loc, ValueRange args) {
                           return SmallVector<Value>{body(b, loc, args)};
                         })
        .front();
  }

  /// The same with several outputs of one map.
  SmallVector<Value> createGeneric(ArrayRef<unsigned> loops,
                                   ArrayRef<unsigned> reduced,
                                   ArrayRef<MappedValue> ins, ValueRange outs,
                                   AffineMap outMap, GenericBody body) {
    auto mapped = llvm::map_to_vector(
        outs, [&](Value out) { return MappedValue(out, outMap); });
    return createGenericOver(builder, loc, loops, reduced, ins, mapped, body)
        .getResults();
  }

  AffineMap getMap(ArrayRef<unsigned> dimensions) {
    return AttentionOp::getMap(op.getContext(), dimensions);
  }

  Value toAccumulator(OpBuilder &b, Location loc, Value value) {
    return convertFloat(b, loc, value, accumulator);
  }

  /// scores[.., m, n] = sum_d (scale * query) * key
  Value createScores() {
    SmallVector<unsigned> dimensions = withBatch({Dim::M, Dim::N});
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::N, Dim::D});
    Value zeros = createFilledTensor(builder, loc, getSizes(dimensions),
                                     accumulator, 0.0);
    double scale = op.getScale().convertToDouble();
    Value factor;
    if (scale != 1.0)
      factor = createFloatConstant(builder, loc, accumulator, scale);
    return createGeneric(
        loops, {Dim::D},
        {{op.getQuery(), op.getQueryMap()}, {op.getKey(), op.getKeyMap()}},
        zeros, getMap(dimensions),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Value query = toAccumulator(b, loc, args[0]);
          if (factor)
            query = arith::MulFOp::create(b, loc, query, factor);
          Value key = toAccumulator(b, loc, args[1]);
          Value product = arith::MulFOp::create(b, loc, query, key);
          return arith::AddFOp::create(b, loc, args[2], product);
        });
  }

  /// The strip of the op's offsets, in the accumulator type, and where offset
  /// 0 lies in it: M + N - 1 places from -(M - 1) - query_offset on.
  std::pair<Value, Value> createStrip() {
    Value numQueries =
        getValueOrCreateConstantIndexOp(builder, loc, getSize(Dim::M));
    Value numKeys =
        getValueOrCreateConstantIndexOp(builder, loc, getSize(Dim::N));
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value zero = builder.createOrFold<arith::SubIOp>(loc, numQueries, one);
    Value length = builder.createOrFold<arith::AddIOp>(loc, zero, numKeys);
    // M = 0 and N = 0 together: nothing reads it.
    length = builder.createOrFold<arith::MaxSIOp>(
        loc, length, arith::ConstantIndexOp::create(builder, loc, 0));
    if (op.getQueryOffset())
      zero = arith::AddIOp::create(builder, loc, zero, op.getQueryOffset());
    SmallVector<OpFoldResult> sizes;
    if (!isSharedByHeads())
      sizes.push_back(getNumHeads());
    sizes.push_back(getAsOpFoldResult(length));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, accumulator);
    return {createBiasStrip(builder, loc, op.getBiasSchemeAttr(), op.getBias(),
                            zero, empty),
            zero};
  }

  bool isSharedByHeads() {
    return op.getBiasSchemeAttr().isSharedByHeads(
        cast<RankedTensorType>(op.getBias().getType()));
  }

  /// H = G x R.
  OpFoldResult getNumHeads() {
    int64_t heads = op.getStaticNumHeads();
    if (!ShapedType::isDynamic(heads))
      return builder.getIndexAttr(heads);
    Value g = getValueOrCreateConstantIndexOp(builder, loc, getSize(Dim::G));
    Value r = getValueOrCreateConstantIndexOp(builder, loc, getSize(Dim::R));
    return arith::MulIOp::create(builder, loc, g, r).getResult();
  }

  /// scores + bias + mask, with hidden places at -inf, in place.
  Value addBiasAndMask(Value scores) {
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::N});
    SmallVector<MappedValue> ins;
    BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
    auto dense = dyn_cast_if_present<DenseAttr>(scheme);
    Value strip = op.getBias(), zero = op.getZero();
    if (dense)
      ins.emplace_back(op.getBias(), dense.getMap());
    else if (scheme && !scheme.needsZero())
      std::tie(strip, zero) = createStrip();
    if (op.getMask())
      ins.emplace_back(op.getMask(), *op.getMaskMap());
    Value minusInfinity = createFloatConstant(
        builder, loc, accumulator, -std::numeric_limits<double>::infinity());
    // Sizes that the body needs are made before it.
    OpFoldResult groupSize = getSize(Dim::R);

    return createGeneric(
        loops, {}, ins, scores, getMap(loops),
        [&](OpBuilder &b, Location loc, ValueRange args) {
          auto index = [&](unsigned dimension) -> Value {
            const auto *found = llvm::find(loops, dimension);
            if (found == loops.end())
              return arith::ConstantIndexOp::create(b, loc, 0);
            return linalg::IndexOp::create(b, loc, found - loops.begin());
          };
          Value score = args.back();
          Value offset;
          if ((scheme && !dense) || op.getBandAttr())
            offset = createOffset(b, loc, index(Dim::M), index(Dim::N),
                                  op.getQueryOffset());
          if (scheme) {
            Value bias = dense ? args.front()
                               : readStrip(b, loc, strip, zero, index,
                                           groupSize, offset);
            score = arith::AddFOp::create(b, loc, score,
                                          toAccumulator(b, loc, bias));
          }
          if (op.getMask()) {
            Value mask = args[dense ? 1 : 0];
            score = mask.getType().isInteger(1)
                        ? Value(arith::SelectOp::create(b, loc, mask, score,
                                                        minusInfinity))
                        : Value(arith::AddFOp::create(
                              b, loc, score, toAccumulator(b, loc, mask)));
          }
          if (BandAttr band = op.getBandAttr()) {
            auto hide = [&](std::optional<int64_t> bound,
                            arith::CmpIPredicate visible) {
              if (!bound)
                return;
              Value limit = arith::ConstantIndexOp::create(b, loc, *bound);
              Value inside =
                  arith::CmpIOp::create(b, loc, visible, offset, limit);
              score =
                  arith::SelectOp::create(b, loc, inside, score, minusInfinity);
            };
            hide(band.getLo(), arith::CmpIPredicate::sge);
            hide(band.getHi(), arith::CmpIPredicate::sle);
          }
          return score;
        });
  }

  /// The bias of (g * R + r, offset) from a strip.
  Value readStrip(OpBuilder &b, Location loc, Value strip, Value zero,
                  function_ref<Value(unsigned)> index, OpFoldResult groupSize,
                  Value offset) {
    auto rank = cast<RankedTensorType>(strip.getType()).getRank();
    Value head;
    if (rank == 2) {
      head = index(Dim::G);
      if (!isConstantIntValue(groupSize, 1)) {
        Value size = getValueOrCreateConstantIndexOp(b, loc, groupSize);
        head = arith::MulIOp::create(b, loc, head, size);
        head = arith::AddIOp::create(b, loc, head, index(Dim::R));
      }
    }
    // A strip of the user's may be shorter; ours covers every offset.
    if (op.getZero())
      return op.getBiasSchemeAttr().buildBias(b, loc, strip, zero, head,
                                              offset);
    SmallVector<Value> position;
    if (head)
      position.push_back(head);
    position.push_back(arith::AddIOp::create(b, loc, zero, offset));
    return tensor::ExtractOp::create(b, loc, strip, position);
  }

  /// [.., m] from [.., m, n].
  Value createMaximum(Value scores) {
    SmallVector<unsigned> rows = withBatch({Dim::M});
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::N});
    Value init = createFilledTensor(builder, loc, getSizes(rows), accumulator,
                                    -std::numeric_limits<double>::infinity());
    return createGeneric(
        loops, {Dim::N}, {{scores, getMap(loops)}}, init, getMap(rows),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          return arith::MaximumFOp::create(b, loc, args[0], args[1]);
        });
  }

  /// [.., m] from [.., m, n]; the second accumulator holds what the rounding of
  /// the first has lost.
  Value createSum(Value probabilities) {
    SmallVector<unsigned> rows = withBatch({Dim::M});
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::N});
    SmallVector<Value> outs;
    for (double start : {-0.0, 0.0})
      outs.push_back(
          createFilledTensor(builder, loc, getSizes(rows), accumulator, start));
    return createGeneric(
               loops, {Dim::N}, {{probabilities, getMap(loops)}}, outs,
               getMap(rows),
               [&](OpBuilder &b, Location loc, ValueRange args) {
                 Value term = arith::SubFOp::create(b, loc, args[0], args[2]);
                 Value sum = arith::AddFOp::create(b, loc, args[1], term);
                 Value added = arith::SubFOp::create(b, loc, sum, args[1]);
                 Value lost = arith::SubFOp::create(b, loc, added, term);
                 return SmallVector<Value>{sum, lost};
               })
        .front();
  }

  /// exp2((s - m') * log2(e)) in place, where m' is 0 for a row without a
  /// visible key.
  Value exponentiate(Value scores, Value maximum) {
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::N});
    Value minusInfinity = createFloatConstant(
        builder, loc, accumulator, -std::numeric_limits<double>::infinity());
    Value zero = createFloatConstant(builder, loc, accumulator, 0.0);
    Value log2e =
        createFloatConstant(builder, loc, accumulator, llvm::numbers::log2e);
    return createGeneric(
        loops, {}, {{maximum, getMap(withBatch({Dim::M}))}}, scores,
        getMap(loops),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Value empty = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                              args[0], minusInfinity);
          Value shift = arith::SelectOp::create(b, loc, empty, zero, args[0]);
          Value shifted = arith::SubFOp::create(b, loc, args[1], shift);
          Value exponent = arith::MulFOp::create(b, loc, shifted, log2e);
          return math::Exp2Op::create(b, loc, exponent);
        });
  }

  /// sum_n p * value, in the accumulator type and the output's layout.
  Value createValueProduct(Value probabilities) {
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::E, Dim::N});
    Value zero = createFloatConstant(builder, loc, accumulator, -0.0);
    Value target = op.getInit();
    if (getElementTypeOrSelf(target) != accumulator)
      target = tensor::EmptyOp::create(
          builder, loc, tensor::getMixedSizes(builder, loc, target),
          accumulator);
    target = linalg::FillOp::create(builder, loc, zero, target).getResult(0);
    return createGeneric(
        loops, {Dim::N},
        {{probabilities, getMap(withBatch({Dim::M, Dim::N}))},
         {op.getValue(), op.getValueMap()}},
        target, op.getOutputMap(),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Value value = toAccumulator(b, loc, args[1]);
          Value product = arith::MulFOp::create(b, loc, args[0], value);
          return arith::AddFOp::create(b, loc, args[2], product);
        });
  }

  /// product / sum, 0 for a row without a visible key, in the output's type.
  Value normalize(Value product, Value sum) {
    SmallVector<unsigned> loops = withBatch({Dim::M, Dim::E});
    Value zero = createFloatConstant(builder, loc, accumulator, 0.0);
    Type outputType = getElementTypeOrSelf(op.getInit());
    auto divide = [&](OpBuilder &b, Location loc, Value total,
                      Value accumulated) -> Value {
      Value empty =
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, total, zero);
      Value quotient = arith::DivFOp::create(b, loc, accumulated, total);
      quotient = arith::SelectOp::create(b, loc, empty, zero, quotient);
      return convertFloat(b, loc, quotient, outputType);
    };
    MappedValue rows(sum, getMap(withBatch({Dim::M})));
    if (outputType == accumulator)
      return createGeneric(loops, {}, {rows}, product, op.getOutputMap(),
                           [&](OpBuilder &b, Location loc, ValueRange args) {
                             return divide(b, loc, args[0], args[1]);
                           });
    return createGeneric(loops, {}, {rows, {product, op.getOutputMap()}},
                         op.getInit(), op.getOutputMap(),
                         [&](OpBuilder &b, Location loc, ValueRange args) {
                           return divide(b, loc, args[0], args[1]);
                         });
  }

  /// max + log(sum): -inf for a row without a visible key.
  Value createLse(Value maximum, Value sum) {
    SmallVector<unsigned> rows = withBatch({Dim::M});
    return createGeneric(
        rows, {}, {{maximum, getMap(rows)}, {sum, getMap(rows)}},
        op.getLseInit(), getMap(rows),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Value logarithm = math::LogOp::create(b, loc, args[1]);
          return arith::AddFOp::create(b, loc, args[0], logarithm);
        });
  }

  AttentionOp op;
  OpBuilder &builder;
  Location loc;
  FloatType accumulator;
  SmallVector<unsigned> batch;
};

/// Before:  attention ins(%q, %k, %v) bias(#scheme, %table) outs(%init)
/// After:   scores, bias and mask, row maximum, exp2, row sum, value product,
///          division; see the pass.
/// Not applied when operands are per batch: the batch loop goes first.
struct ConvertAttention : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKeyLengths() ||
        (op.getQueryOffset() && !op.getQueryOffset().getType().isIndex()))
      return rewriter.notifyMatchFailure(op, "the batch loop goes first");
    BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
    if (scheme && !scheme.isOffsetFunction() && !isa<DenseAttr>(scheme))
      return rewriter.notifyMatchFailure(op, "expected an offset function");
    rewriter.replaceOp(op, AttentionLowering(op, rewriter).lower());
    return success();
  }
};

} // namespace

void relattn::populateAttentionToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ConvertAttention>(patterns.getContext());
}
