//===- ExpandExp.h - The exponential of the softmax -------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// math.exp of numbers that are not positive, and its expansion into arithmetic.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_EXPANDEXP_H
#define RELATTN_LIB_TILING_EXPANDEXP_H

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::relattn {

/// math.exp(x), marked: it does not overflow. x is at most 88 (f64: 709), -inf
/// or NaN.
Value createBoundedExp(OpBuilder &builder, Location loc, Value x);
bool isBoundedExp(math::ExpOp op);

/// Whether one is inside of an op: it computes weights of attention.
bool hasBoundedExp(Operation *root);

/// The marked ones, on f32, f64 and vectors of these, into arithmetic. Without
/// `hasFMA`, fused multiply-adds of the target, one step more for f32. With
/// `selectsLast`, for compilers that take a comparison and a select for a
/// maximum without NaN, x is not clamped; what is too low is replaced at the
/// end.
void populateExpandExpPatterns(RewritePatternSet &patterns, bool hasFMA,
                               bool selectsLast = false);

/// The marked ones on vectors of 16 f32, or of parts of 16, into arithmetic and
/// two instructions of AVX-512 (VREDUCEPS, of its DQ part, and VSCALEFPS),
/// instead of the above.
void populateExpandExpToAVX512Patterns(RewritePatternSet &patterns);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_EXPANDEXP_H
