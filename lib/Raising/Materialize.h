//===- Materialize.h - Expressions as tensors again -------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way back: a tensor over some variables whose elements are an expression.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_MATERIALIZE_H
#define RELATTN_LIB_RAISING_MATERIALIZE_H

#include "ElementExpr.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::relattn {

/// The size of what a variable ranges over, at the insertion point; null if it
/// is not known there.
OpFoldResult getSize(OpBuilder &builder, Location loc,
                     const ExprContext &context, unsigned variable);

/// The size of a dimension, without keeping the tensor alive if it can be told
/// otherwise.
OpFoldResult getDimension(OpBuilder &builder, Location loc, Value tensor,
                          int64_t dim);

/// Whether `materialize` can build `expr` over `variables`.
bool canMaterialize(const ExprContext &context, const Expr *expr,
                    ArrayRef<unsigned> variables);

/// A tensor over `variables` of the elements of `expr`: an existing one, moved,
/// where `expr` is an element of it; else one linalg.generic.
Value materialize(OpBuilder &builder, Location loc, ExprContext &context,
                  const Expr *expr, ArrayRef<unsigned> variables);

/// The variables of one index, outermost first, if the index runs over a
/// dimension of `size` exactly: a mixed-radix number of them.
bool readDigits(const ExprContext &context, const Linear &linear, int64_t size,
                SmallVectorImpl<unsigned> &digits);

/// A symbolic integer as an index.
Value materializeIndex(OpBuilder &builder, Location loc,
                       const ExprContext &context, const Linear &linear);

/// The tensor that `leaf` reads, reshaped to one dimension for each variable
/// of its indices (in the order found, given back in `order`), without moving
/// data. Null if the indices are not such a reshape.
Value reshapeLeaf(OpBuilder &builder, Location loc, ExprContext &context,
                  const Expr *leaf, SmallVectorImpl<unsigned> &order,
                  bool onlyCheck = false);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_MATERIALIZE_H
