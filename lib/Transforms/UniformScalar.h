//===- UniformScalar.h - Numbers that every iteration shares ----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scale reaches a linalg op as a constant in its body or outside, a rank-0 or
// filled tensor, a splat, a run-time scalar, or an expression of those (a cast
// from f64, a reciprocal). To all of them: is it one number, and which?
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TRANSFORMS_UNIFORMSCALAR_H
#define RELATTN_LIB_TRANSFORMS_UNIFORMSCALAR_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

namespace mlir::relattn {

/// Whether `value` is one number at all iterations of `op`, or at all elements.
/// `value` is a scalar in the body of `op` or outside of it; or, with a null
/// `op`, a tensor.
bool isUniform(Value value, linalg::LinalgOp op);

/// The number, if it is known at compile time and a float; every operation on
/// the way rounds as the IR's own does.
std::optional<APFloat> getUniformConstant(Value value, linalg::LinalgOp op);

/// The number as a scalar at the rewriter's insertion point, which `op`, or
/// `value` where `op` is null, dominates or follows next. Expects isUniform.
Value materializeUniform(RewriterBase &rewriter, Value value,
                         linalg::LinalgOp op);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TRANSFORMS_UNIFORMSCALAR_H
