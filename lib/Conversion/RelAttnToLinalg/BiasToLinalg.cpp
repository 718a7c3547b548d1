//===- BiasToLinalg.cpp - bucket, bias_strip, bias to linalg --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ops around the bias. Buckets are a binary search over constants, so no
// logarithm exists at run time.
//
//===----------------------------------------------------------------------===//

#include "LoweringUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// An integer or index as an index, signed. Wider integers than 64 bits
/// saturate: an offset beyond them is in an outer bucket anyway.
static Value toIndex(OpBuilder &builder, Location loc, Value value) {
  if (value.getType().isIndex())
    return value;
  unsigned width = value.getType().getIntOrFloatBitWidth();
  if (width > 64) {
    auto clamp = [&](APInt bound, bool upper) {
      Value limit = arith::ConstantOp::create(
          builder, loc,
          builder.getIntegerAttr(value.getType(), bound.sext(width)));
      value = upper ? Value(arith::MinSIOp::create(builder, loc, value, limit))
                    : Value(arith::MaxSIOp::create(builder, loc, value, limit));
    };
    clamp(APInt::getSignedMaxValue(64), true);
    clamp(APInt::getSignedMinValue(64), false);
    value = arith::TruncIOp::create(builder, loc, builder.getI64Type(), value);
  }
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    value);
}

namespace {

/// Before:  %ids = relattn.bucket #scheme %offsets : tensor<?xi64>
///              -> tensor<?xi32>
/// After:   %ids = linalg.generic { a binary search }
/// A scalar becomes the search alone.
struct ConvertBucket : public OpRewritePattern<BucketOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BucketOp op,
                                PatternRewriter &rewriter) const override {
    BiasSchemeAttrInterface scheme = op.getScheme();
    Type element = getElementTypeOrSelf(op.getResult());
    auto build = [&](OpBuilder &b, Location loc, Value offset) -> Value {
      Value bucket = scheme.buildBucket(b, loc, toIndex(b, loc, offset));
      if (element.isIndex())
        return bucket;
      if (element.getIntOrFloatBitWidth() <= 64)
        return arith::IndexCastOp::create(b, loc, element, bucket);
      Value wide = arith::IndexCastOp::create(b, loc, b.getI64Type(), bucket);
      return arith::ExtUIOp::create(b, loc, element, wide);
    };
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type) {
      rewriter.replaceOp(op, build(rewriter, op.getLoc(), op.getOffset()));
      return success();
    }
    Location loc = op.getLoc();
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getOffset()),
        element);
    if (empty.getType() != type)
      empty = tensor::CastOp::create(rewriter, loc, type, empty);
    SmallVector<AffineMap> maps(
        2, rewriter.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, type, op.getOffset(), empty, maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, build(b, loc, args[0]));
        });
    return success();
  }
};

/// Before:  %strip = relattn.bias_strip #scheme ins(%table) zero(%zero) ...
/// After:   %ids = linalg.generic { the bucket of l - zero }
///          %strip = linalg.generic ins(%ids) { %table[id, h] }
/// ALiBi needs the second one only.
struct ConvertBiasStrip : public OpRewritePattern<BiasStripOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BiasStripOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, createBiasStrip(rewriter, op.getLoc(),
                                           op.getScheme(), op.getBias(),
                                           op.getZero(), op.getInit()));
    return success();
  }
};

/// Before:  %bias = relattn.bias #scheme ins(%table) outs(%init)
/// After:   %bias = linalg.generic outs(%init) { the bias of (h, j - i - qo) }
struct ConvertBias : public OpRewritePattern<BiasOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BiasOp op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getInit().getType());
    int64_t rank = type.getRank();
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, type, ValueRange{}, op.getInit(),
        rewriter.getMultiDimIdentityMap(rank), iterators,
        [&](OpBuilder &b, Location loc, ValueRange) {
          auto index = [&](int64_t dimension) -> Value {
            return linalg::IndexOp::create(b, loc, dimension);
          };
          Value queryOffset = op.getQueryOffset();
          if (queryOffset && !queryOffset.getType().isIndex())
            queryOffset = extractIndex(b, loc, queryOffset, index(0));
          Value offset = createOffset(b, loc, index(rank - 2), index(rank - 1),
                                      queryOffset);
          Value value = op.getScheme().buildBias(
              b, loc, op.getBias(), op.getZero(), index(rank - 3), offset);
          value = convertFloat(b, loc, value, type.getElementType());
          linalg::YieldOp::create(b, loc, value);
        });
    return success();
  }
};

} // namespace

void relattn::populateBiasToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ConvertBucket, ConvertBiasStrip, ConvertBias>(
      patterns.getContext());
}
