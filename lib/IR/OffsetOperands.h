//===- OffsetOperands.h - Shared by the ops with offsets --------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attention and bias have in common: query offsets, one or one per batch
// entry, destinations, and constants that mean "nothing".
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_IR_OFFSETOPERANDS_H
#define RELATTN_LIB_IR_OFFSETOPERANDS_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include <optional>

namespace mlir::relattn {

/// The value of a query offset (0 if null) if it is one known number.
std::optional<int64_t> getConstantQueryOffset(Value queryOffset);

/// A 1-D tensor of index, i32 or i64.
LogicalResult verifyPerBatchType(Operation *op, StringRef label, StringRef name,
                                 Type type);

/// Whether every element of a floating-point tensor is known to be zero, of
/// either sign: a constant, or a fill with one.
bool isKnownZero(Value tensor);

/// The shapes of the results are those of the destinations.
LogicalResult reifyFromInits(OpBuilder &builder, DestinationStyleOpInterface op,
                             ReifiedRankedShapedTypeDims &reified);

/// Moves a cast of a result to a more static type to the destination. (Casts of
/// operands are absorbed by the tensor dialect's own canonicalisation.)
LogicalResult absorbResultCast(DestinationStyleOpInterface op,
                               PatternRewriter &rewriter);

template <typename OpTy>
struct AbsorbResultCast : public OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    return absorbResultCast(op, rewriter);
  }
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_IR_OFFSETOPERANDS_H
