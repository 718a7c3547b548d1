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

#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// The float as `type`: extended, truncated or as it is.
Value convertFloat(OpBuilder &builder, Location loc, Value value, Type type);

/// A float constant of `type`.
Value createFloatConstant(OpBuilder &builder, Location loc, Type type,
                          double value);

/// A tensor of `sizes` filled with `value`.
Value createFilledTensor(OpBuilder &builder, Location loc,
                         ArrayRef<OpFoldResult> sizes, Type elementType,
                         double value);

/// key - (query + query_offset); `queryOffset` may be null.
Value createOffset(OpBuilder &builder, Location loc, Value query, Value key,
                   Value queryOffset);

/// Fills `init` (`[H, L]`, or `[L]`) with the bias of each offset `l - zero`:
/// buckets once for all heads, then one table read per element. `scheme` is a
/// function of the offset that needs no zero of its own.
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
