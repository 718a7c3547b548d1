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

/// What a strip is made of.
struct StripSource {
  /// Null: a bias of 0.
  BiasSchemeAttrInterface scheme;
  Value bias;
  /// Where offset 0 lies in a bias that is a strip itself.
  Value zero;
};

/// The bias of `head` (null if all share it) at `offset`, or of the bucket `id`
/// if that is not null, as a scalar of `type`.
Value buildStripElement(OpBuilder &builder, Location loc,
                        const StripSource &source, Type type, Value id,
                        Value head, Value offset);

/// Fills `init` (`[H, L]`, or `[L]` for all heads) with the bias of each
/// place's offset, place - zero: buckets once for all heads, then one table
/// read per element.
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
