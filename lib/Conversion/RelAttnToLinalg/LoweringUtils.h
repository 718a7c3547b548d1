//===- LoweringUtils.h - Shared by the lowerings to linalg ------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small builders, and the pattern sets of the lowering's parts.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_CONVERSION_RELATTNTOLINALG_LOWERINGUTILS_H
#define RELATTN_LIB_CONVERSION_RELATTNTOLINALG_LOWERINGUTILS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// The float as `type`: extended, truncated or as it is.
Value convertFloat(OpBuilder &builder, Location loc, Value value, Type type);

/// A float constant of `type`.
Value createFloatConstant(OpBuilder &builder, Location loc, Type type,
                          double value);

/// x * y + z, fused where the target can. (math.fma is always fused: where the
/// target cannot, by a call for each element.)
Value createMultiplyAdd(OpBuilder &builder, Location loc, Value x, Value y,
                        Value z);

/// A tensor of `sizes` filled with `value`.
Value createFilledTensor(OpBuilder &builder, Location loc,
                         ArrayRef<OpFoldResult> sizes, Type elementType,
                         double value);

/// key - (query + query_offset); `queryOffset` may be null.
Value createOffset(OpBuilder &builder, Location loc, Value query, Value key,
                   Value queryOffset);

/// `sizes` of a tensor from `offsets` on, every element of it; of `type` where
/// the slice drops dimensions of 1.
Value createSlice(OpBuilder &builder, Location loc, Value tensor,
                  ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                  RankedTensorType type = {});

/// The same from the first element on.
Value createSlice(OpBuilder &builder, Location loc, Value tensor,
                  ArrayRef<OpFoldResult> sizes);

/// `tensor` in the place of a slice of `whole`.
Value insertSlice(OpBuilder &builder, Location loc, Value tensor, Value whole,
                  ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes);

using MappedValue = std::pair<Value, AffineMap>;
using GenericBody =
    function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>;

/// A generic over `loops`, some of an op's dimensions, of which those in
/// `reduced` are reductions; the maps are over all dimensions of the op.
linalg::GenericOp
createGenericOver(OpBuilder &builder, Location loc, ArrayRef<unsigned> loops,
                  ArrayRef<unsigned> reduced, ArrayRef<MappedValue> ins,
                  ArrayRef<MappedValue> outs, GenericBody body);

/// What a strip is made of, and the dimensions that it has before its places.
struct StripSource {
  /// Null: a bias of 0.
  BiasSchemeAttrInterface scheme;
  Value bias;
  /// Where offset 0 lies in a bias that is a strip itself.
  Value zero;
  bool hasBatch = false, hasHeads = false;
};

/// The offset of a place, in a batch entry (null without `hasBatch`).
using StripOffset =
    function_ref<Value(OpBuilder &, Location, Value batch, Value place)>;
/// What stands in the strip instead of a bias.
using StripFinish =
    function_ref<Value(OpBuilder &, Location, Value bias, Value offset)>;

/// Fills `init` (`[B, H, L]`, less what the source has not) with the bias of
/// each place's offset: buckets once for all heads, then one table read per
/// element.
Value createBiasStrip(OpBuilder &builder, Location loc,
                      const StripSource &source, Value init,
                      StripOffset getOffset, StripFinish finish = nullptr);

/// The same for places that rise with the offset: place - zero.
Value createBiasStrip(OpBuilder &builder, Location loc,
                      BiasSchemeAttrInterface scheme, Value bias, Value zero,
                      Value init);

/// One entry of a per-batch operand, as an index.
Value extractIndex(OpBuilder &builder, Location loc, Value tensor,
                   Value position);

void populateBiasToLinalgPatterns(RewritePatternSet &patterns);
void populateAttentionToLinalgPatterns(RewritePatternSet &patterns);
void populateAttentionBatchLoopPatterns(RewritePatternSet &patterns);

} // namespace mlir::relattn

#endif // RELATTN_LIB_CONVERSION_RELATTNTOLINALG_LOWERINGUTILS_H
