//===- AttentionOpCanonicalization.cpp - Canonical attention --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands and attributes that say nothing go.
//
//===----------------------------------------------------------------------===//

#include "OffsetOperands.h"
#include "mlir/IR/Matchers.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {

/// Before:  attention ... bias(#relattn.t5<...>, %zeros : tensor<32x8xf32>)
/// After:   attention ...
/// Every scheme gives zero for an operand of zeros, of either sign.
/// Not applied when the bias is not known to be zero everywhere.
struct DropZeroBias : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getBias() || !isKnownZero(op.getBias()))
      return rewriter.notifyMatchFailure(op, "expected a bias of zeros");
    rewriter.modifyOpInPlace(op, [&]() {
      op.getBiasMutable().clear();
      op.getZeroMutable().clear();
      op.removeBiasSchemeAttr();
    });
    return success();
  }
};

/// Before:  attention ... mask(%true : tensor<4x4xi1>)
/// After:   attention ...
/// The same for an additive mask of zeros.
/// Not applied when the mask may hide or change anything.
struct DropEmptyMask : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getMask())
      return rewriter.notifyMatchFailure(op, "expected a mask");
    DenseIntElementsAttr values;
    bool visible =
        getElementTypeOrSelf(op.getMask()).isInteger(1)
            ? matchPattern(op.getMask(), m_Constant(&values)) &&
                  llvm::all_of(values,
                               [](const APInt &value) { return value.isOne(); })
            : isKnownZero(op.getMask());
    if (!visible)
      return rewriter.notifyMatchFailure(op, "the mask may hide a key");
    rewriter.modifyOpInPlace(op, [&]() {
      op.getMaskMutable().clear();
      op.removeMaskMapAttr();
    });
    return success();
  }
};

/// Before:  attention band<-511, 511> ins(... 512 queries and keys ...)
/// After:   attention ins(...)
/// A bound beyond every offset becomes `*`; a band without bounds goes.
/// Not applied when M, N or the query offset is unknown.
struct DropWideBand : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    BandAttr band = op.getBandAttr();
    if (!band)
      return rewriter.notifyMatchFailure(op, "expected a band");
    std::optional<int64_t> lo = band.getLo(), hi = band.getHi();
    int64_t numQueries = op.getStaticSize(AttentionOp::M);
    int64_t numKeys = op.getStaticSize(AttentionOp::N);
    std::optional<int64_t> queryOffset = op.getConstantQueryOffset();
    // The limit keeps the sums below from wrapping.
    constexpr int64_t limit = int64_t(1) << 60;
    if (!ShapedType::isDynamic(numQueries) && !ShapedType::isDynamic(numKeys) &&
        queryOffset && *queryOffset > -limit && *queryOffset < limit &&
        numQueries < limit && numKeys < limit) {
      if (lo && *lo <= -(numQueries - 1) - *queryOffset)
        lo.reset();
      if (hi && *hi >= numKeys - 1 - *queryOffset)
        hi.reset();
    }
    if ((lo || hi) && lo == band.getLo() && hi == band.getHi())
      return rewriter.notifyMatchFailure(op, "the band may hide a key");
    rewriter.modifyOpInPlace(op, [&]() {
      if (lo || hi)
        op.setBandAttr(BandAttr::get(op.getContext(), lo, hi));
      else
        op.removeBandAttr();
    });
    return success();
  }
};

/// Before:  attention ... query_offset(%c0 : index)
/// After:   attention ...
/// Not applied when the offset is not the constant 0.
struct DropZeroQueryOffset : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getQueryOffset() || op.getConstantQueryOffset() != 0)
      return rewriter.notifyMatchFailure(op, "expected a query offset of 0");
    rewriter.modifyOpInPlace(op, [&]() { op.getQueryOffsetMutable().clear(); });
    return success();
  }
};

/// Before:  attention ins(... 77 keys ...) key_lengths(dense<77>)
/// After:   attention ins(...)
/// Not applied when a length may be below N.
struct DropFullKeyLengths : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    int64_t numKeys = op.getStaticSize(AttentionOp::N);
    DenseIntElementsAttr lengths;
    if (!op.getKeyLengths() || ShapedType::isDynamic(numKeys) ||
        !matchPattern(op.getKeyLengths(), m_Constant(&lengths)) ||
        !llvm::all_of(lengths, [&](const APInt &length) {
          return length.getSExtValue() >= numKeys;
        }))
      return rewriter.notifyMatchFailure(op, "a length may be below N");
    rewriter.modifyOpInPlace(op, [&]() { op.getKeyLengthsMutable().clear(); });
    return success();
  }
};

} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<DropZeroBias, DropEmptyMask, DropWideBand, DropZeroQueryOffset,
               DropFullKeyLengths, AbsorbResultCast<AttentionOp>>(context);
}
