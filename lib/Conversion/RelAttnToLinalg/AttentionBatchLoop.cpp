//===- AttentionBatchLoop.cpp - Attention with per-batch operands ---------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// key_lengths, and query offsets of a tensor, become a loop over the batch.
// Inside it the keys are a slice of their length, so what lies beyond is never
// read, and the query offset is one index.
//
//===----------------------------------------------------------------------===//

#include "LoweringUtils.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {

/// The part of a tensor that belongs to one batch entry, and to its first
/// `numKeys` keys (null: all).
class EntrySlicer {
public:
  EntrySlicer(OpBuilder &builder, Location loc, Value entry, Value numKeys)
      : builder(builder), loc(loc), entry(entry), numKeys(numKeys) {}

  Value extract(Value tensor, AffineMap map) {
    if (!tensor)
      return {};
    computeSlice(tensor, map);
    if (isStaticallyEmpty(tensor))
      return tensor::EmptyOp::create(builder, loc, sizes,
                                     getElementTypeOrSelf(tensor));
    return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                          strides);
  }

  Value insert(Value part, Value tensor, AffineMap map) {
    if (isStaticallyEmpty(tensor))
      return tensor;
    computeSlice(tensor, map);
    return tensor::InsertSliceOp::create(builder, loc, part, tensor, offsets,
                                         sizes, strides);
  }

private:
  /// A slice at offset 0 of a dimension of size 0 does not verify in MLIR 22;
  /// a tensor without elements needs no slice.
  static bool isStaticallyEmpty(Value tensor) {
    return llvm::is_contained(
        cast<RankedTensorType>(tensor.getType()).getShape(), 0);
  }

  void computeSlice(Value tensor, AffineMap map) {
    sizes = tensor::getMixedSizes(builder, loc, tensor);
    offsets.assign(sizes.size(), builder.getIndexAttr(0));
    strides.assign(sizes.size(), builder.getIndexAttr(1));
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
      if (dimension == AttentionOp::B) {
        offsets[i] = entry;
        sizes[i] = builder.getIndexAttr(1);
      } else if (dimension == AttentionOp::N && numKeys) {
        sizes[i] = numKeys;
      }
    }
  }

  OpBuilder &builder;
  Location loc;
  Value entry, numKeys;
  SmallVector<OpFoldResult> offsets, sizes, strides;
};

/// Before:  attention ins(%q, %k, %v) key_lengths(%lengths) outs(%init)
/// After:   scf.for %b = 0 to B iter_args(%out = %init)
///            %n = max(0, min(%lengths[%b], N))
///            %kb = tensor.extract_slice %k[%b, ...] [1, ..., %n, ...]
///            %part = attention ins(%qb, %kb, %vb) outs(%ob)
///            scf.yield (tensor.insert_slice %part into %out)
/// Not applied when there are no lengths and at most one query offset.
struct LoopOverBatch : public OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    bool manyOffsets =
        op.getQueryOffset() && !op.getQueryOffset().getType().isIndex();
    if (!op.getKeyLengths() && !manyOffsets)
      return rewriter.notifyMatchFailure(op, "expected per-batch operands");

    Location loc = op.getLoc();
    MLIRContext *context = op.getContext();
    auto getSize = [&](Value tensor, AffineMap map, unsigned dimension) {
      unsigned position =
          *map.getResultPosition(getAffineDimExpr(dimension, context));
      return getValueOrCreateConstantIndexOp(
          rewriter, loc, tensor::getMixedSize(rewriter, loc, tensor, position));
    };
    Value batch = getSize(op.getInit(), op.getOutputMap(), AttentionOp::B);
    Value allKeys = getSize(op.getKey(), op.getKeyMap(), AttentionOp::N);
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    auto loop = scf::ForOp::create(
        rewriter, loc, zero, batch, one, op.getInits(),
        [&](OpBuilder &b, Location loc, Value entry, ValueRange outs) {
          Value numKeys;
          if (op.getKeyLengths()) {
            Value length = extractIndex(b, loc, op.getKeyLengths(), entry);
            numKeys = arith::MaxSIOp::create(
                b, loc, arith::MinSIOp::create(b, loc, length, allKeys), zero);
          }
          scf::YieldOp::create(b, loc,
                               createEntry(op, b, loc, entry, numKeys, outs));
        });
    rewriter.replaceOp(op, loop.getResults());
    return success();
  }

private:
  /// The attention of one entry, inserted into `outs`.
  static SmallVector<Value> createEntry(AttentionOp op, OpBuilder &b,
                                        Location loc, Value entry,
                                        Value numKeys, ValueRange outs) {
    EntrySlicer slicer(b, loc, entry, numKeys);
    SmallVector<AffineMap> outMaps;
    for (auto [operand, map] : op.getMappedOperands())
      if (llvm::is_contained(op.getInits(), operand))
        outMaps.push_back(map);
    SmallVector<Value> partOuts;
    for (auto [out, map] : llvm::zip_equal(outs, outMaps))
      partOuts.push_back(slicer.extract(out, map));
    Value query = slicer.extract(op.getQuery(), op.getQueryMap());
    Value key = slicer.extract(op.getKey(), op.getKeyMap());
    Value value = slicer.extract(op.getValue(), op.getValueMap());
    Value bias = op.getBias(), mask = op.getMask();
    if (auto dense = dyn_cast_if_present<DenseAttr>(op.getBiasSchemeAttr()))
      bias = slicer.extract(bias, dense.getMap());
    if (mask)
      mask = slicer.extract(mask, *op.getMaskMap());
    Value queryOffset = op.getQueryOffset();
    if (queryOffset && !queryOffset.getType().isIndex())
      queryOffset = extractIndex(b, loc, queryOffset, entry);

    // A clone, so that every attribute stays; then what the loop took over.
    auto part = cast<AttentionOp>(b.clone(*op.getOperation()));
    part.getQueryMutable().assign(query);
    part.getKeyMutable().assign(key);
    part.getValueMutable().assign(value);
    if (bias)
      part.getBiasMutable().assign(bias);
    if (mask)
      part.getMaskMutable().assign(mask);
    if (queryOffset)
      part.getQueryOffsetMutable().assign(queryOffset);
    part.getKeyLengthsMutable().clear();
    part.getInitsMutable().assign(partOuts);
    for (auto [result, out] : llvm::zip_equal(part->getResults(), partOuts))
      result.setType(out.getType());

    SmallVector<Value> results;
    for (auto [result, out, map] :
         llvm::zip_equal(part->getResults(), outs, outMaps))
      results.push_back(slicer.insert(result, out, map));
    return results;
  }
};

} // namespace

void relattn::populateAttentionBatchLoopPatterns(RewritePatternSet &patterns) {
  patterns.add<LoopOverBatch>(patterns.getContext());
}
