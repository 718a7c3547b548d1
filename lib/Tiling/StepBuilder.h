//===- StepBuilder.h - Builders of one online step --------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the forms of a step share: panels of queries (PanelStep.h,
// DecomposeAttention.cpp, and in pairs DecomposePairs.cpp), a single row
// (DecomposeRow.cpp), and the block of a workgroup (DecomposeBlock.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_STEPBUILDER_H
#define RELATTN_LIB_TILING_STEPBUILDER_H

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "TileKind.h"

namespace mlir::relattn {

class StepBuilder {
protected:
  using Dim = OnlineAttentionOp;

  StepBuilder(OnlineAttentionOp op, OpBuilder &builder)
      : op(op), b(builder), loc(op.getLoc()), type(op.getAccumulatorType()) {}

  // Bodies: args[2] + args[0] * args[1] (in the type of args[2]), and sum and
  // maximum of two.
  static SmallVector<Value> accumulateProduct(OpBuilder &builder, Location loc,
                                              ValueRange args);
  static SmallVector<Value> accumulate(OpBuilder &builder, Location loc,
                                       ValueRange args);
  static SmallVector<Value> takeMaximum(OpBuilder &builder, Location loc,
                                        ValueRange args);

  Value createFloat(double value) {
    return createFloatConstant(b, loc, type, value);
  }
  /// `init` filled with `value`.
  Value createFill(double value, Value init, std::optional<TileKind> kind);
  linalg::GenericOp createGeneric(std::optional<TileKind> kind,
                                  ArrayRef<unsigned> loops,
                                  ArrayRef<unsigned> reduced,
                                  ArrayRef<MappedValue> ins,
                                  ArrayRef<MappedValue> outs, GenericBody body);
  /// `sizes` of a buffer of the worker's own, of `shape`, outside of all loops.
  /// Without a static shape it is an allocation for each step.
  Value createBuffer(ArrayRef<int64_t> shape, ArrayRef<OpFoldResult> sizes,
                     Type element = {});
  /// 0 where a mask of i1 is true, -inf where it is false.
  Value widenMask(Value mask, AffineMap map);
  /// The number of keys, and a bound of it; dynamic if there is none.
  OpFoldResult getNumKeys();
  int64_t getMaxKeys();

  OnlineAttentionOp op;
  OpBuilder &b;
  Location loc;
  FloatType type;
};

/// A maximum of -inf counts as 0.
Value createShift(OpBuilder &builder, Location loc, Value maximum);

/// The step of a single query whose number of keys is bounded: out, max, sum.
SmallVector<Value> lowerRowStep(OnlineAttentionOp op, OpBuilder &builder);

/// The step of a panel of queries and keys in pairs: out, max, sum.
SmallVector<Value> lowerPairStep(OnlineAttentionOp op, OpBuilder &builder);

/// The step of a workgroup: out, max, sum.
SmallVector<Value> lowerBlockStep(OnlineAttentionOp op, OpBuilder &builder);

/// Parts of the keys joined: out, max, sum.
SmallVector<Value> lowerMerge(MergeOp op, OpBuilder &builder);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_STEPBUILDER_H
